"""Small builders: a shop's listings, a wish list, and an order led through its life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from services.order.domain import Market, Order, TimeLimits, decide, evolve
from shared.contracts import Command, Decided, DecisionContext, Event, Metadata, Money
from shared.contracts.inventory import Listing, Tier
from shared.contracts.order import (
    PlaceOrder,
    RecordDelivery,
    RecordPayment,
    RecordReservation,
    RecordScreening,
    Wish,
)
from tests.amounts import yuan

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
TIME_LIMITS = TimeLimits(
    pay_within=timedelta(minutes=30),
    answer_within=timedelta(minutes=1),
    review_within=timedelta(days=1),
    deliver_within=timedelta(minutes=10),
    reserve_for=timedelta(hours=1),
    reopen_within=timedelta(days=1),
)


LISTINGS = {
    listing.sku: listing
    for listing in (
        Listing(
            sku="card",
            name="Game card",
            price=yuan(10),
            per_order_limit=50,
            tiers=(Tier(from_quantity=5, price=Money(amount=950)), Tier(from_quantity=10, price=yuan(9))),
        ),
        Listing(sku="code", name="Activation code", kind="activation-code", price=yuan(30)),
        Listing(sku="topup", name="Top-up", kind="top-up", source="supplier", price=yuan(50), suppliers=("acme",)),
        Listing(sku="course", name="Course", kind="course", source="manual", price=yuan(200)),
        Listing(sku="gone", name="Gone", price=yuan(1), on_sale=False),
        Listing(sku="dollar", name="Dollar card", price=Money(amount=500, currency="USD")),
        Listing(sku="gift", name="Gift", price=yuan(0)),
    )
}


def wish(sku: str, quantity: int = 1, target: str | None = None) -> Wish:
    return Wish(sku=sku, quantity=quantity, target=target)


def place(*wishes: Wish, **changes: Any) -> PlaceOrder:
    """A channel order of one card, unless the test says otherwise."""
    fields = {"order_id": "o1", "payment": "wechat", "customer": "ann", "buyer_key": "pk", "email": "ann@example.org"}
    return PlaceOrder(wishes=wishes or (wish("card"),), **{**fields, **changes})


@dataclass
class Life:
    """An order that decides commands and remembers its history. `listings` is what is sold now."""

    order: Order = field(default_factory=Order)
    history: list[Event] = field(default_factory=list)
    answer: Mapping[str, Any] = field(default_factory=dict)
    now: datetime = NOW
    listings: Mapping[str, Listing] = field(default_factory=lambda: LISTINGS)

    def send(self, command: Command) -> list[Event]:
        """Decide a command and keep what came of it; the events are returned."""
        lapsed = isinstance(command, RecordPayment) and self.order.phase == "cancelled"
        facts = Market(self.listings, TIME_LIMITS) if lapsed or isinstance(command, PlaceOrder) else TIME_LIMITS
        meta = Metadata(correlation_id="flow", causation_id="cause")
        decided = decide(command, self.order, DecisionContext(now=self.now, command_id="c1", meta=meta, facts=facts))
        events = list(decided.events if isinstance(decided, Decided) else decided)
        self.answer = decided.answer if isinstance(decided, Decided) else {}
        for event in events:
            self.order = evolve(self.order, event)
        self.history += events
        return events

    def all(self, *commands: Command) -> Life:
        for command in commands:
            self.send(command)
        return self


def names(events: Sequence[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def screened(decision: Any = "pass") -> RecordScreening:
    return RecordScreening(order_id="o1", decision=decision)


def reserved(line: int = 1, attempt: int = 1) -> RecordReservation:
    return RecordReservation(order_id="o1", line=line, attempt=attempt, reserved=True)


def short(line: int = 1, attempt: int = 1) -> RecordReservation:
    return RecordReservation(order_id="o1", line=line, attempt=attempt, reserved=False)


def held() -> RecordPayment:
    return RecordPayment(order_id="o1", held=True)


def delivered(line: int = 1, numbers: tuple[int, ...] = ()) -> RecordDelivery:
    return RecordDelivery(order_id="o1", line=line, delivered=True, numbers=numbers)


def failed(line: int = 1) -> RecordDelivery:
    return RecordDelivery(order_id="o1", line=line, delivered=False, reason="unreadable")


def placed(*wishes: Wish, **changes: Any) -> Life:
    return Life().all(place(*wishes, **changes))


def confirmed(*wishes: Wish) -> Life:
    life = placed(*wishes).all(screened(), held())
    return life.all(*(reserved(line.line) for line in life.order.lines if line.source == "keys"))


def completed() -> Life:
    """Three cards at 10 yuan, delivered as keys 7, 8 and 9."""
    return confirmed(wish("card", 3)).all(delivered(1, (7, 8, 9)))
