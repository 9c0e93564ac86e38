"""The state of an order, folded from its events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import Literal, TypeAlias

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
    PaymentDifferenceSettled,
    PaymentDiffers,
    PaymentRecorded,
    RefundApproved,
    RefundFailed,
    RefundRecorded,
    RefundRetried,
    RepaymentDelayed,
    RepaymentEnded,
    ReplacementConfirmed,
    ReplacementFailed,
    ReplacementRequested,
    ReservationRecorded,
    ScreeningRecorded,
    Step,
    StockPutBack,
    StockRequested,
    Wait,
)

Key: TypeAlias = tuple[int, int]  # of a line of the order, by its number in stock
REPLACEMENT_REFUND = "replacement/"
Phase = Literal["new", "placed", "confirmed", "completed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """The result of a line. `numbers` are the keys that the buyer got."""

    delivered: bool
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund. `given_back` is what has reached the buyer, None before; `failed` means that the channel refused.

    `key` is the sold key whose price is refunded, None for a refund by amount.
    """

    approved: Money
    given_back: Money | None = None
    failed: bool = False
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class Replacement:
    """A free line that replaces key `number` of line `replaces`. Its value is the `price` that was paid for that
    key."""

    line: OrderLine
    replaces: int
    number: int
    price: Money
    stage: Literal["requested", "confirmed", "failed"] = "requested"


@dataclass(frozen=True, slots=True)
class Order:
    """One order. `lines` count from 1 by position, replacements go on counting after them.

    `reserved` are the keys lines reserved in this `attempt`; `step` is the wait that may still run out.
    `stockless`: its stock was put back while a person reviews it. `delayed` has returns outside of refunds that the
    channel did not pay, by return id; `differing` has payments of other amounts that wait for a person, by item.
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
    stockless: bool = False
    cancelled_for: CancelReason | None = None
    pay_by: datetime | None = None
    deliveries: dict[int, Delivery] = field(default_factory=dict)
    delivered: Money = field(default_factory=zero)
    refunds: dict[str, Refund] = field(default_factory=dict)
    replacements: tuple[Replacement, ...] = ()
    delayed: dict[str, Money] = field(default_factory=dict)
    differing: dict[str, Money] = field(default_factory=dict)

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
        """The value of what was delivered and neither refunded, nor being refunded, nor replaced. It is never below
        zero."""
        given = self.sum(refund.approved for refund in self.refunds.values()) + self.claimed
        return max(self.delivered - given, zero(self.total.currency))

    @property
    def refunded_keys(self) -> frozenset[Key]:
        """The sold keys whose price was or is being refunded, including failed refunds."""
        return frozenset(refund.key for refund in self.refunds.values() if refund.key is not None)

    @property
    def claimed(self) -> Money:
        """The price of the keys that were or are being replaced: a replacement stands for it, not money."""
        refunded = self.refunded_keys
        return self.sum(price for key, price in self._replaced.items() if key not in refunded)

    @property
    def _replaced(self) -> dict[Key, Money]:
        """The sold keys with a replacement, and the price that was paid for each."""
        standing = (replacement for replacement in self.replacements if replacement.stage != "failed")
        return {self.sold_as(it.replaces, it.number): it.price for it in standing}

    def sold_as(self, line: int, number: int) -> Key:
        """The key that was sold, for a key that may be its replacement."""
        while replacement := self.replacement(line):
            line, number = replacement.replaces, replacement.number
        return line, number

    def is_replaced(self, key: Key) -> bool:
        """Whether this sold key was or is being replaced."""
        return key in self._replaced

    def is_being_replaced(self, key: Key) -> bool:
        """Whether a replacement of this sold key has no result yet."""
        return any(
            it.stage != "failed" and it.line.line not in self.deliveries and self.sold_as(it.replaces, it.number) == key
            for it in self.replacements
        )

    def sum(self, amounts: Iterable[Money]) -> Money:
        return reduce(Money.__add__, amounts, zero(self.total.currency))

    def has_line(self, number: int) -> bool:
        """Whether this is a line that was ordered, not a replacement."""
        return 1 <= number <= len(self.lines)

    @property
    def waiting_money(self) -> int:
        """The number of amounts of the order that are neither where they belong nor back."""
        return len(self.delayed) + len(self.differing)

    def replacement(self, line: int) -> Replacement | None:
        """The replacement of this line number, None for other lines."""
        return next((replacement for replacement in self.replacements if replacement.line.line == line), None)


def evolve(order: Order, event: Event) -> Order:
    """The order after one of its events."""
    match event:
        case OrderPlaced():
            return _waiting(_placed(event), event.wait)
        case ScreeningRecorded():
            return _waiting(replace(order, screening=event.decision), event.wait)
        case StockPutBack():
            return replace(order, reserved=frozenset(), stockless=True)
        case StockRequested():
            return _waiting(_asking(order, event.attempt), event.wait)
        case ReservationRecorded():
            return replace(order, reserved=order.reserved | {event.line}) if event.reserved else order
        case PaymentRecorded():
            return _waiting(replace(order, funds="held"), event.wait)
        case OrderConfirmed():
            return _waiting(replace(order, phase="confirmed"), event.wait)
        case OrderCancelled():
            return replace(order, phase="cancelled", cancelled_for=event.reason, step=None)
        case OrderReopened():
            reopened = replace(_asking(order, event.attempt), phase="placed", cancelled_for=None)
            return _waiting(reopened, event.wait)
        case LatePaymentDeclined():
            return replace(order, funds="declined")
        case PaymentDiffers():
            return replace(order, differing={**order.differing, event.item: event.amount})
        case PaymentDifferenceSettled(item=item):
            return replace(order, differing={it: amount for it, amount in order.differing.items() if it != item})
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
            approved = Refund(event.amount, key=_key_of(order, event))
            return replace(order, refunds={**order.refunds, event.refund_id: approved})
        case RefundRecorded():
            return _refund(order, event.refund_id, given_back=event.amount, failed=False)
        case RefundFailed():
            return _refund(order, event.refund_id, failed=True)
        case RefundRetried():
            return _refund(order, event.refund_id, failed=False)
        case RepaymentDelayed(return_id=name):
            return replace(order, delayed={**order.delayed, name: event.amount})
        case RepaymentEnded(return_id=name):
            return replace(order, delayed={it: amount for it, amount in order.delayed.items() if it != name})
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


def _key_of(order: Order, event: RefundApproved) -> Key | None:
    """The sold key that a refund is for. Refunds of failed replacements once named it only by their refund id."""
    line, number = event.line, event.number
    if line is None or number is None:
        name = event.refund_id
        failed = next((it for it in order.replacements if f"{REPLACEMENT_REFUND}{it.line.line}" == name), None)
        if failed is None:
            return None
        line, number = failed.replaces, failed.number
    return order.sold_as(line, number)


def _refund(order: Order, refund_id: str, **changes: object) -> Order:
    return replace(order, refunds={**order.refunds, refund_id: replace(order.refunds[refund_id], **changes)})


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
        pay_by=event.pay_by,
    )


def _asking(order: Order, attempt: int) -> Order:
    """The order with a new attempt, in which all lines are requested again."""
    return replace(order, attempt=attempt, reserved=frozenset(), stockless=False)


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
