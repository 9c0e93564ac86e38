"""What is known of an order, folded from its events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from typing import Literal

from shared.contracts import Event, Money, replace, zero
from shared.contracts.order import (
    CancelReason,
    DeliveryOverdue,
    DeliveryRecorded,
    LatePaymentDeclined,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderLine,
    OrderPlaced,
    OrderReopened,
    PaymentRecorded,
    RefundApproved,
    RefundRecorded,
    ReplacementConfirmed,
    ReplacementFailed,
    ReplacementRequested,
    ReservationRecorded,
    ScreeningRecorded,
    Step,
    Wait,
)

Phase = Literal["new", "placed", "confirmed", "completed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a line ended; `numbers` are the keys that the buyer got."""

    delivered: bool
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Refund:
    """`given_back` is what the ledger said it gave back, None as long as it has not answered."""

    approved: Money
    given_back: Money | None = None


@dataclass(frozen=True, slots=True)
class Replacement:
    """A free line in place of key `number` of line `replaces`, worth the `price` that was once paid for that key."""

    line: OrderLine
    replaces: int
    number: int
    price: Money
    stage: Literal["requested", "confirmed", "failed"] = "requested"


@dataclass(frozen=True, slots=True)
class Order:
    """One order. `lines` count from 1 by position, replacements go on counting after them.

    `reserved` are the keys lines reserved in this `attempt`; `step` is the wait that may still run out.
    """

    phase: Phase = "new"
    order_id: str = ""
    customer: str | None = None
    payment: str = ""
    agent: str | None = None
    buyer_key: str = ""
    email: str = ""
    locale: Literal["zh", "en"] = "zh"
    fingerprint: str = ""
    lines: tuple[OrderLine, ...] = ()
    total: Money = field(default_factory=zero)
    attempt: int = 1
    step: Step | None = None
    screening: Literal["pass", "review", "block"] | None = None
    funds: Literal["awaited", "held", "declined"] = "awaited"
    reserved: frozenset[int] = frozenset()
    cancelled_for: CancelReason | None = None
    deliveries: dict[int, Delivery] = field(default_factory=dict)
    delivered: Money = field(default_factory=zero)
    refunds: dict[str, Refund] = field(default_factory=dict)
    replacements: tuple[Replacement, ...] = ()

    @property
    def paid(self) -> bool:
        return self.funds == "held"

    @property
    def joined(self) -> bool:
        """Whether the order is cleared, paid, and every line from stock is reserved."""
        from_stock = (line.line for line in self.lines if line.source == "keys")
        return self.screening == "pass" and self.paid and self.reserved.issuperset(from_stock)

    @property
    def refundable(self) -> Money:
        """What was delivered and neither given back nor promised back."""
        return self.delivered - self.sum(refund.approved for refund in self.refunds.values())

    def sum(self, amounts: Iterable[Money]) -> Money:
        return reduce(Money.__add__, amounts, zero(self.total.currency))

    def has_line(self, number: int) -> bool:
        """Whether this is a line that was ordered, not a replacement."""
        return 1 <= number <= len(self.lines)

    def replacement(self, line: int) -> Replacement | None:
        """The replacement that this line is, None for other lines."""
        return next((replacement for replacement in self.replacements if replacement.line.line == line), None)


def evolve(order: Order, event: Event) -> Order:
    """The order after one of its events."""
    match event:
        case OrderPlaced():
            return _waiting(_placed(event), event.wait)
        case ScreeningRecorded():
            return _waiting(replace(order, screening=event.decision), event.wait)
        case ReservationRecorded():
            return replace(order, reserved=order.reserved | {event.line}) if event.reserved else order
        case PaymentRecorded():
            return _waiting(replace(order, funds="held"), event.wait)
        case OrderConfirmed():
            return _waiting(replace(order, phase="confirmed"), event.wait)
        case OrderCancelled():
            return replace(order, phase="cancelled", cancelled_for=event.reason, step=None)
        case OrderReopened():
            reopened = replace(order, phase="placed", cancelled_for=None, attempt=event.attempt, reserved=frozenset())
            return _waiting(reopened, event.wait)
        case LatePaymentDeclined():
            return replace(order, funds="declined")
        case DeliveryRecorded():
            ended = Delivery(event.delivered, event.numbers)
            return replace(order, deliveries={**order.deliveries, event.line: ended})
        case DeliveryOverdue():
            return replace(order, step=None)
        case OrderCompleted():
            return replace(order, phase="completed", delivered=event.delivered, step=None)
        case _:
            return _after_sale(order, event)


def _after_sale(order: Order, event: Event) -> Order:
    match event:
        case RefundApproved():
            return replace(order, refunds={**order.refunds, event.refund_id: Refund(event.amount)})
        case RefundRecorded():
            refund = replace(order.refunds[event.refund_id], given_back=event.amount)
            return replace(order, refunds={**order.refunds, event.refund_id: refund})
        case ReplacementRequested():
            earlier = order.replacement(event.replaces)
            price = earlier.price if earlier else order.lines[event.replaces - 1].unit_price
            added = Replacement(event.line, event.replaces, event.number, price)
            return replace(order, replacements=(*order.replacements, added))
        case ReplacementConfirmed():
            return _staged(order, event.line.line, "confirmed")
        case ReplacementFailed():
            return _staged(order, event.line, "failed")
        case _:
            return order


def _placed(event: OrderPlaced) -> Order:
    return Order(
        phase="placed",
        order_id=event.order_id,
        customer=event.customer,
        payment=event.payment,
        agent=event.agent,
        buyer_key=event.buyer_key,
        email=event.email,
        locale=event.locale,
        fingerprint=event.fingerprint,
        lines=event.lines,
        total=event.total,
        delivered=zero(event.total.currency),
    )


def _waiting(order: Order, wait: Wait | None) -> Order:
    return replace(order, step=wait.step) if wait else order


def _staged(order: Order, line: int, stage: Literal["confirmed", "failed"]) -> Order:
    return replace(
        order,
        replacements=tuple(
            replace(replacement, stage=stage) if replacement.line.line == line else replacement
            for replacement in order.replacements
        ),
    )
