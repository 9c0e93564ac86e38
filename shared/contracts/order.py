"""Orders and their saga."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import At, Command, Event, Id, Money, Quantity, Text, Value, is_false
from shared.contracts.inventory import Kind, Source

WALLET = "wallet"
CancelReason = Literal[
    "unpaid", "insufficient-funds", "short-stock", "blocked", "buyer", "staff", "no-answer", "expired"
]
Step = Literal["payment", "answers", "review", "delivery"]
DifferenceEnd = Literal["matched", "wallet", "returned", "by-hand", "corrected"]


# other ids are made of these ("wallet:<customer>", "<order id>/<line>#<supplier>"): they leave room for it
OrderId = Annotated[Id, Field(max_length=40)]
Name = Annotated[Id, Field(max_length=60)]


class Wish(Value):
    """What a buyer asks for: never a price. `target` is the account or phone to top up, where the product needs one."""

    sku: Id
    quantity: Quantity
    target: Text | None = None


class OrderLine(Value):
    """A line as sold. `line` counts from 1; a replacement is a further line of the same order, free of charge.

    `costs_nothing`: a supplier delivers it, and the listing says that this is free for us.
    """

    line: int
    sku: Id
    name: str
    kind: Kind
    source: Source
    quantity: Quantity
    unit_price: Money
    amount: Money
    suppliers: tuple[Id, ...] = ()
    target: Text | None = None
    costs_nothing: bool = Field(default=False, exclude_if=is_false)


class Wait(Value):
    """What an order waits for next, in which attempt, and until when."""

    step: Step
    attempt: int
    until: At


class PlaceOrder(Command, key="order_id"):
    """Place an order at the catalogue's prices. Payment is `wallet` or a payment channel's name.

    `buyer_key` is the public key that deliveries are sealed to. `expected_total`, if given, must be what it costs.
    """

    order_id: OrderId
    wishes: Annotated[tuple[Wish, ...], Field(min_length=1, max_length=100)]
    customer: Name | None = None
    payment: Name = WALLET
    sales_channel: Id = "web"
    channel_order_no: Id | None = None
    expected_total: Money | None = None
    buyer_key: str
    ip: Text = ""
    device: Text = ""
    email: Text = ""
    locale: Literal["zh", "en"] = "zh"
    agent: Name | None = None

    incidental = frozenset({"ip", "device", "buyer_key"})


class CancelOrder(Command, key="order_id"):
    """Cancel an order that is not yet confirmed. `by` is who asks."""

    order_id: Id
    by: Literal["buyer", "staff"] = "buyer"
    note: Text = ""


class RefundOrder(Command, key="order_id"):
    """Give back `amount` of a completed order, all that is left when None. The same `refund_id` refunds once.

    `line` and `number` name a delivered key: then its whole price is given back, and it is never replaced any more.
    """

    order_id: Id
    refund_id: Id
    amount: Money | None = None
    line: int | None = None
    number: int | None = None
    reason: Text


class ReplaceKey(Command, key="order_id"):
    """Replace one delivered key, named by its line and its number in stock, by a fresh one of the same SKU."""

    order_id: Id
    line: int
    number: int
    reason: Text


class RecordScreening(Command, key="order_id"):
    order_id: Id
    decision: Literal["pass", "review", "block"]
    reasons: tuple[Text, ...] = ()


class RecordReservation(Command, key="order_id"):
    order_id: Id
    line: int
    attempt: int
    reserved: bool
    numbers: tuple[int, ...] = ()


class RecordReservationExpiry(Command, key="order_id"):
    order_id: Id
    line: int
    attempt: int


class RecordPayment(Command, key="order_id"):
    """The ledger holds the order's whole amount, or says why it can't."""

    order_id: Id
    held: bool
    reason: Text = ""


class RecordDelivery(Command, key="order_id"):
    order_id: Id
    line: int
    delivered: bool
    numbers: tuple[int, ...] = ()
    reason: Text = ""


class RecordRefund(Command, key="order_id"):
    """A refund has reached the buyer: the wallet, or where it was paid from."""

    order_id: Id
    refund_id: Id
    amount: Money


class RecordRefundFailure(Command, key="order_id"):
    """The channel did not pay `amount` back: a refund, or other money of the order."""

    order_id: Id
    refund_id: Id
    reason: Text
    amount: Money | None = None


class DropRepayment(Command, key="order_id"):
    """A person found another use for money that was to go back."""

    order_id: Id
    refund_id: Id


class RecordOtherPayment(Command, key="order_id"):
    """The order's channel told of money that is not what the order costs."""

    order_id: Id
    item: Id
    amount: Money
    expected: Money
    reason: Id


class RecordDifferenceSettled(Command, key="order_id"):
    """Money that was not what the order costs has found its place."""

    order_id: Id
    item: Id
    how: DifferenceEnd


class MeetDeadline(Command, key="order_id"):
    """The time for a step is over. `step` and `attempt` say for which wait it was set; a later state ignores it."""

    order_id: Id
    step: Step
    attempt: int


class OrderPlaced(Event, key="order_id"):
    """A buyer placed an order at the catalogue's prices. It waits for screening, stock and payment."""

    order_id: Id
    customer: Id | None
    lines: tuple[OrderLine, ...]
    total: Money
    payment: Id
    sales_channel: Id
    channel_order_no: Id | None
    buyer_key: str
    ip: Text
    device: Text
    email: Text
    locale: Literal["zh", "en"]
    agent: Id | None
    fingerprint: str
    pay_by: At
    reserved_until: At
    wait: Wait | None = None


class ScreeningRecorded(Event, key="order_id"):
    """The order heard what risk decided."""

    order_id: Id
    decision: Literal["pass", "review", "block"]
    reasons: tuple[Text, ...]
    wait: Wait | None = None


class StockPutBack(Event, key="order_id"):
    """Others may have the stock of these lines while a person decides whether the order, which is not paid, passes."""

    order_id: Id
    lines: tuple[OrderLine, ...]


class StockRequested(Event, key="order_id"):
    """A person let the order pass whose stock had been put back: its lines are reserved once more."""

    order_id: Id
    lines: tuple[OrderLine, ...]
    attempt: int
    paid: bool
    reserved_until: At
    wait: Wait | None = None


class ReservationRecorded(Event, key="order_id"):
    """The order heard whether stock was set aside for a line."""

    order_id: Id
    line: int
    attempt: int
    reserved: bool


class PaymentRecorded(Event, key="order_id"):
    """The order is paid: its whole amount is held. `late` when it had already been cancelled."""

    order_id: Id
    amount: Money
    late: bool = False
    wait: Wait | None = None


class OrderConfirmed(Event, key="order_id"):
    """Cleared, reserved (in this `attempt`) and paid: deliver these lines."""

    order_id: Id
    customer: Id | None
    lines: tuple[OrderLine, ...]
    attempt: int
    buyer_key: str
    wait: Wait | None = None


class OrderCancelled(Event, key="order_id"):
    """Will not be delivered. Reserved lines are released; money held is given back."""

    order_id: Id
    customer: Id | None
    reason: CancelReason
    note: Text = ""
    paid: bool
    lines: tuple[OrderLine, ...]
    email: Text = ""
    locale: Literal["zh", "en"] = "zh"
    differs: bool = False


class PaymentDiffers(Event, key="order_id"):
    """Money came for the order that is not what it costs: a person must match it or give it back.

    `item` names it among the money that fits no payment.
    """

    order_id: Id
    customer: Id | None
    item: Id
    amount: Money
    expected: Money
    reason: Id
    email: Text = ""
    locale: Literal["zh", "en"] = "zh"


class PaymentDifferenceSettled(Event, key="order_id"):
    """Money that was not what the order costs has found its place.

    `how`: it paid the order (`matched`), went to the customer's `wallet` or back to where it came from (`returned`),
    staff saw to it (`by-hand`), or the channel named another amount instead (`corrected`). `waiting` is how much other
    money of the order still waits for a person.
    """

    order_id: Id
    customer: Id | None
    item: Id
    amount: Money
    how: DifferenceEnd
    waiting: int
    email: Text = ""
    locale: Literal["zh", "en"] = "zh"


class OrderReopened(Event, key="order_id"):
    """A payment came after the order was cancelled for want of it: its lines are reserved once more."""

    order_id: Id
    lines: tuple[OrderLine, ...]
    attempt: int
    reserved_until: At
    wait: Wait | None = None
    amount: Money | None = None
    email: Text = ""
    locale: Literal["zh", "en"] = "zh"


class LatePaymentDeclined(Event, key="order_id"):
    """A payment came for an order that stays cancelled: it goes back to its source."""

    order_id: Id
    amount: Money
    reason: Text = ""
    email: Text = ""
    locale: Literal["zh", "en"] = "zh"


class DeliveryRecorded(Event, key="order_id"):
    """The order heard how the delivery of a line ended."""

    order_id: Id
    line: int
    delivered: bool
    numbers: tuple[int, ...]
    reason: Text = ""


class OrderCompleted(Event, key="order_id"):
    """Every line ended. `delivered` is earned and captured; `undelivered` is given back."""

    order_id: Id
    customer: Id | None
    delivered: Money
    undelivered: Money
    agent: Id | None
    email: Text = ""
    locale: Literal["zh", "en"] = "zh"


class DeliveryOverdue(Event, key="order_id"):
    """A confirmed order has lines that did not end in time: a person should look."""

    order_id: Id
    lines: tuple[int, ...]


class RefundApproved(Event, key="order_id"):
    """Part of a completed order is to be given back; the ledger does it. `line` and `number` name the key it is for."""

    order_id: Id
    refund_id: Id
    amount: Money
    reason: Text
    line: int | None = None
    number: int | None = None


class RefundRecorded(Event, key="order_id"):
    """`amount` has reached the buyer; `refunded` is the sum so far, `full` when nothing is left."""

    order_id: Id
    customer: Id | None
    refund_id: Id
    amount: Money
    refunded: Money
    full: bool
    email: Text = ""
    locale: Literal["zh", "en"] = "zh"


class RefundFailed(Event, key="order_id"):
    """The channel did not pay a refund back: it is still owed, and can be asked for again."""

    order_id: Id
    customer: Id | None
    refund_id: Id
    amount: Money
    reason: Text
    email: Text = ""
    locale: Literal["zh", "en"] = "zh"


class RepaymentDelayed(Event, key="order_id"):
    """The channel did not pay back money of the order that no refund is about: the rest of a payment, one that came too
    late, or one that did not fit. It is still owed, and staff see to it."""

    order_id: Id
    customer: Id | None
    return_id: Id
    amount: Money
    reason: Text
    email: Text = ""
    locale: Literal["zh", "en"] = "zh"


class RepaymentEnded(Event, key="order_id"):
    """Money that was delayed is back, or where it was not `returned`, a person found another use for it.

    `waiting` is how much other money of the order is still delayed, or waits for a person.
    """

    order_id: Id
    customer: Id | None
    return_id: Id
    amount: Money
    returned: bool
    waiting: int
    email: Text = ""
    locale: Literal["zh", "en"] = "zh"


class RefundRetried(Event, key="order_id"):
    """A refund that failed is asked for again; the ledger does it."""

    order_id: Id
    refund_id: Id
    amount: Money
    reason: Text


class ReplacementRequested(Event, key="order_id"):
    """Line `line` was added, free, to replace key `number` of line `replaces`."""

    order_id: Id
    line: OrderLine
    replaces: int
    number: int
    reason: Text
    reserved_until: At


class ReplacementConfirmed(Event, key="order_id"):
    """A fresh key is reserved for the replacement line: deliver it."""

    order_id: Id
    customer: Id | None
    line: OrderLine
    buyer_key: str


class ReplacementFailed(Event, key="order_id"):
    """No key was left to replace with; the price of one is refunded instead."""

    order_id: Id
    line: int
    reason: Text
