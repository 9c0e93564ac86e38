"""Lines, keys and deliveries to test with."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import reduce
from typing import Any, Literal

from services.fulfillment.domain import decide
from services.fulfillment.domain.keys import Opened
from services.fulfillment.domain.state import Delivery, evolve
from shared.contracts import Command, Decided, DecisionContext, Event, Metadata, Money
from shared.contracts.fulfillment import DeliverLine, PurchaseRequested, RecordPurchase, TakeKeys
from shared.contracts.inventory import ReservedKey
from shared.contracts.order import OrderLine
from shared.security.sealing import keypair_from_secret

NOW = datetime(2026, 1, 1, 8, tzinfo=UTC)
ID = "order-1/1"
BUYER = keypair_from_secret("the buyer's secret")
COST = Money(amount=950)
ENVELOPE = "k1.sealed-to-the-buyer"


def order_line(
    source: Literal["keys", "supplier", "manual"] = "keys", quantity: int = 2, suppliers: tuple[str, ...] = ()
) -> OrderLine:
    price = Money(amount=1000)
    return OrderLine(
        line=1, sku="sku-1", name="Card", kind="top-up" if source == "supplier" else "card-key", source=source,
        quantity=quantity, unit_price=price, amount=price * quantity, suppliers=suppliers,
        target="ok:13800000000" if source == "supplier" else None,
    )  # fmt: skip


def reserved(*numbers: int) -> tuple[ReservedKey, ...]:
    return tuple(ReservedKey(number=number, box=f"k1.box-{number}") for number in numbers)


def take(attempt: int = 1, keys: tuple[ReservedKey, ...] = (), sku: str = "sku-1") -> TakeKeys:
    return TakeKeys(delivery_id=ID, order_id="order-1", line=1, attempt=attempt, sku=sku, keys=keys or reserved(1, 2))


def deliver(line: OrderLine | None = None, attempt: int = 1) -> DeliverLine:
    return DeliverLine(
        delivery_id=ID, order_id="order-1", line=line or order_line(), attempt=attempt, buyer_key=BUYER.public
    )


def deliver_by(*suppliers: str) -> DeliverLine:
    return deliver(order_line("supplier", 1, suppliers))


def report(supplier: str, outcome: Literal["done", "failed", "pending"], **more: Any) -> RecordPurchase:
    cost = COST if outcome == "done" else None
    return RecordPurchase(**{"delivery_id": ID, "supplier": supplier, "outcome": outcome, "cost": cost, **more})


def after(events: Iterable[Event]) -> Delivery:
    return reduce(evolve, events, Delivery())


def when(past: Iterable[Event], command: Command, facts: object = None, now: datetime = NOW) -> list[Event]:
    """The events that a command brings about after those that happened."""
    meta = Metadata(correlation_id="c", causation_id="c")
    decided = decide(command, after(past), DecisionContext(now, "command-1", meta, facts))
    return list(decided.events) if isinstance(decided, Decided) else decided


def given(*steps: tuple[Command, object] | Command) -> list[Event]:
    """What happened when these commands came, each with the facts looked up for it; no health record without any."""
    past: list[Event] = []
    for step in steps:
        command, facts = step if isinstance(step, tuple) else (step, {})
        past += when(past, command, facts)
    return past


def names(events: Iterable[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def asked(events: Iterable[Event]) -> list[str]:
    """The suppliers that were asked, in order."""
    return [event.supplier for event in events if isinstance(event, PurchaseRequested)]


OPENED = Opened(envelope=ENVELOPE)
