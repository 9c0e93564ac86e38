"""Products, keys and commands to say a test with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.inventory.domain import Product, ProductCommand, decide_product, evolve_product
from services.inventory.domain.stock_commands import Known, ReservationFacts
from services.inventory.domain.unpaid import UnpaidLimits
from shared.contracts import Decided, DecisionContext, Event, Metadata, Money
from shared.contracts import Shop as ShopPlace
from shared.contracts.inventory import (
    FaultKey,
    KeysLoaded,
    Listing,
    ListProduct,
    LoadKeys,
    ReleaseStock,
    ReserveStock,
    SealedKey,
    SettleStock,
    StockReserved,
    StockSettled,
    WithdrawKeys,
)
from tests.amounts import minor

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TODAY = NOW.date()
TOMORROW, YESTERDAY = TODAY + timedelta(days=1), TODAY - timedelta(days=1)
LATER = NOW + timedelta(hours=1)
SKU = "STEAM-50"


def a_listing(**changes: object) -> Listing:
    return Listing.model_validate({"sku": SKU, "name": "Steam 50", "price": minor(5_000)} | changes)


def sealed(*names: str) -> tuple[SealedKey, ...]:
    return tuple(SealedKey(index=f"hash-{name}", box=f"box-{name}") for name in names)


def load(
    *names: str, batch: str = "b1", cost: Money | None = None, expires_on: date | None = None, dry_run: bool = False
) -> LoadKeys:
    return LoadKeys(sku=SKU, batch_id=batch, keys=sealed(*names), cost=cost, expires_on=expires_on, dry_run=dry_run)


def reserve(order: str, quantity: int = 1, *, line: int = 1, attempt: int = 1, **more: Any) -> ReserveStock:
    asked = {"sku": SKU, "order_id": order, "line": line, "quantity": quantity, "attempt": attempt}
    return ReserveStock(**asked, expires_at=LATER, **more)


def settle(order: str, line: int = 1) -> SettleStock:
    return SettleStock(sku=SKU, order_id=order, line=line)


def fault(order: str, number: int) -> FaultKey:
    return FaultKey(sku=SKU, order_id=order, number=number, reason="invalid")


@dataclass
class Shop:
    """One product, with the facts that its tables would know."""

    now: datetime = NOW
    state: Product = field(default_factory=Product)
    known: set[str] = field(default_factory=set)
    boxes: dict[int, str] = field(default_factory=dict)
    buyers: dict[int, str] = field(default_factory=dict)
    unpaid: UnpaidLimits = field(default_factory=UnpaidLimits)
    place: ShopPlace = field(default_factory=ShopPlace)

    def ask(self, command: ProductCommand) -> Decided:
        """Decide, and change nothing."""
        meta = Metadata(correlation_id="c1", causation_id="c1")
        outcome = decide_product(
            command, self.state, DecisionContext(self.now, "c1", meta, self._facts(command), self.place)
        )
        return outcome if isinstance(outcome, Decided) else Decided(events=outcome)

    def do(self, command: ProductCommand) -> list[Event]:
        """Decide, and live with it."""
        events = list(self.ask(command).events)
        self.given(events)
        return events

    def given(self, events: Iterable[Event]) -> None:
        for event in events:
            self.live(event)

    def live(self, event: Event) -> None:
        self.state = evolve_product(self.state, event)
        match event:
            case KeysLoaded():
                self.known.update(key.index for key in event.keys)
                self.boxes.update((number, key.box) for number, key in enumerate(event.keys, event.first))
            case StockSettled():
                self.buyers.update(dict.fromkeys(event.numbers, event.order_id))
            case _:
                pass

    def _facts(self, command: ProductCommand) -> object:
        match command:
            case LoadKeys():
                return Known(frozenset(key.index for key in command.keys if key.index in self.known))
            case ReserveStock():
                return ReservationFacts(self.boxes.__getitem__, self.unpaid)
            case FaultKey():
                return self.buyers.get(command.number)
            case WithdrawKeys():
                return self.buyers.get
            case _:
                return None


def a_shop(*loads: LoadKeys, **listing: object) -> Shop:
    shop = Shop()
    shop.do(ListProduct(sku=SKU, listing=a_listing(**listing)))
    for command in loads:
        shop.do(command)
    return shop


def release(order: str, line: int = 1) -> ReleaseStock:
    return ReleaseStock(sku=SKU, order_id=order, line=line, reason="unpaid")


def picked(shop: Shop, order: str, quantity: int) -> list[int]:
    [event] = shop.do(reserve(order, quantity))
    assert isinstance(event, StockReserved)
    return [key.number for key in event.keys]
