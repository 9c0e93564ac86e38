"""Orders and their saga."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import At, Command, Doc, Event, Id, Money, Quantity, Text, Value, is_false
from shared.contracts.fields import (
    Amount,
    Attempt,
    BuyerKey,
    Customer,
    Device,
    Email,
    Ip,
    Line,
    Locale,
    Note,
    Number,
    Numbers,
    OrderId,
    Reason,
    Reasons,
    RefundId,
    ReturnId,
    Sku,
)
from shared.contracts.inventory import Kind, Source, Suppliers, UnitPrice

WALLET = "wallet"
CancelReason = Literal[
    "unpaid", "insufficient-funds", "short-stock", "blocked", "buyer", "staff", "no-answer", "expired"
]
Step = Literal["payment", "answers", "review", "delivery"]
DifferenceEnd = Literal["matched", "wallet", "returned", "by-hand", "corrected"]


# other ids are made of these ("wallet:<customer>", "<order id>/<line>#<supplier>"): they leave room for it
NewOrderId = Annotated[OrderId, Field(max_length=40)]
Name = Annotated[Id, Field(max_length=60)]

Target = Annotated[Text, Doc("The account or phone to top up; null where the product needs none.", "13800000000")]
Agent = Annotated[Id, Doc("The agent who brought the buyer and earns a commission, if any.", "bo")]
ReservedUntil = Annotated[At, Doc("Until when its stock is kept.", "2026-01-01T08:25:00Z")]
Total = Annotated[Money, Doc("What the order costs.", 9800)]
DifferingMoney = Annotated[Id, Doc("The money's name among what fits no payment.", "5f2b7c0d9a4e41d6")]
Waiting = Annotated[int, Doc("How much other money of the order is still delayed, or waits for a person.", 0)]

# What a stream is called by, by the key of its events.
AGGREGATES = {"order_id": "order"}


class Wish(Value):
    """What a buyer asks for: never a price. `target` is the account or phone to top up, where the product needs one."""

    sku: Sku
    quantity: Quantity
    target: Target | None = None


class OrderLine(Value):
    """A line as sold. `line` counts from 1; a replacement is a further line of the same order, free of charge.

    `costs_nothing`: a supplier delivers it, and the listing says that this is free for us.
    """

    line: Line
    sku: Sku
    name: Annotated[str, Doc("The product's name at the time of sale.", "Game points, 100")]
    kind: Kind
    source: Source
    quantity: Quantity
    unit_price: UnitPrice
    amount: Annotated[Money, Doc("The price of the whole line.", 9800)]
    suppliers: Suppliers = ()
    target: Target | None = None
    costs_nothing: Annotated[bool, Doc("Whether a supplier delivers it and takes nothing for it.", False)] = Field(
        default=False, exclude_if=is_false
    )


LineToDeliver = Annotated[OrderLine, Doc("The line to deliver, as sold.")]
Lines = Annotated[tuple[OrderLine, ...], Doc("The lines, as sold.")]


class Wait(Value):
    """What an order waits for next, in which attempt, and until when."""

    step: Annotated[Step, Doc("What it waits for.", "payment")]
    attempt: Annotated[int, Doc("The attempt that the order is in.", 1)]
    until: Annotated[At, Doc("When waiting is over.", "2026-01-01T08:15:00Z")]


NextWait = Annotated[Wait, Doc("What the order waits for next; null when for nothing.")]


class PlaceOrder(Command, key="order_id"):
    """Place an order at the catalogue's prices. Payment is `wallet` or a payment channel's name.

    `buyer_key` is the public key that deliveries are sealed to. `expected_total`, if given, must be what it costs.
    """

    order_id: NewOrderId
    wishes: Annotated[tuple[Wish, ...], Field(min_length=1, max_length=100)]
    customer: Name | None = None
    payment: Name = WALLET
    sales_channel: Id = "web"
    channel_order_no: Id | None = None
    expected_total: Money | None = None
    buyer_key: BuyerKey
    ip: Ip = ""
    device: Device = ""
    email: Email = ""
    locale: Locale = "zh"
    agent: Name | None = None

    incidental = frozenset({"ip", "device", "buyer_key"})


class CancelOrder(Command, key="order_id"):
    """Cancel an order that is not yet confirmed. `by` is who asks."""

    order_id: OrderId
    by: Literal["buyer", "staff"] = "buyer"
    note: Note = ""


class RefundOrder(Command, key="order_id"):
    """Give back `amount` of a completed order, all that is left when None. The same `refund_id` refunds once.

    `line` and `number` name a delivered key: then its whole price is given back, and it is never replaced any more.
    """

    order_id: OrderId
    refund_id: RefundId
    amount: Amount | None = None
    line: Line | None = None
    number: Number | None = None
    reason: Reason


class ReplaceKey(Command, key="order_id"):
    """Replace one delivered key, named by its line and its number in stock, by a fresh one of the same SKU."""

    order_id: OrderId
    line: Line
    number: Number
    reason: Reason


class RecordScreening(Command, key="order_id"):
    order_id: OrderId
    decision: Literal["pass", "review", "block"]
    reasons: Reasons = ()


class RecordReservation(Command, key="order_id"):
    order_id: OrderId
    line: Line
    attempt: Attempt
    reserved: bool
    numbers: Numbers = ()


class RecordReservationExpiry(Command, key="order_id"):
    order_id: OrderId
    line: Line
    attempt: Attempt


class RecordPayment(Command, key="order_id"):
    """The ledger holds the order's whole amount, or says why it can't."""

    order_id: OrderId
    held: bool
    reason: Reason = ""


class RecordDelivery(Command, key="order_id"):
    order_id: OrderId
    line: Line
    delivered: bool
    numbers: Numbers = ()
    reason: Reason = ""


class RecordRefund(Command, key="order_id"):
    """A refund has reached the buyer: the wallet, or where it was paid from."""

    order_id: OrderId
    refund_id: RefundId
    amount: Amount


class RecordRefundFailure(Command, key="order_id"):
    """The channel did not pay `amount` back: a refund, or other money of the order."""

    order_id: OrderId
    refund_id: RefundId
    reason: Reason
    amount: Amount | None = None


class DropRepayment(Command, key="order_id"):
    """A person found another use for money that was to go back."""

    order_id: OrderId
    refund_id: RefundId


class RecordOtherPayment(Command, key="order_id"):
    """The order's channel told of money that is not what the order costs."""

    order_id: OrderId
    item: DifferingMoney
    amount: Amount
    expected: Total
    reason: Id


class RecordDifferenceSettled(Command, key="order_id"):
    """Money that was not what the order costs has found its place."""

    order_id: OrderId
    item: DifferingMoney
    how: DifferenceEnd


class MeetDeadline(Command, key="order_id"):
    """The time for a step is over. `step` and `attempt` say for which wait it was set; a later state ignores it."""

    order_id: OrderId
    step: Step
    attempt: Attempt


class OrderPlaced(Event, key="order_id"):
    """A buyer placed an order at the catalogue's prices. It waits for screening, stock and payment."""

    order_id: OrderId
    customer: Customer | None
    lines: Lines
    total: Total
    payment: Annotated[Id, Doc("How it is paid: `wallet`, or a payment channel's name.", "wallet")]
    sales_channel: Annotated[Id, Doc("Where it was sold.", "web")]
    channel_order_no: Annotated[
        Id | None, Doc("The sales channel's own number for the order, if it has one.", "W-2026-0042")
    ]
    buyer_key: BuyerKey
    ip: Ip
    device: Device
    email: Email
    locale: Locale
    agent: Agent | None
    fingerprint: Annotated[str, Doc("SHA-256 of what makes two wishes the same order, in hexadecimal.", "0a1b2c3d" * 8)]
    pay_by: Annotated[At, Doc("Until when it must be paid.", "2026-01-01T08:15:00Z")]
    reserved_until: ReservedUntil
    wait: NextWait | None = None


class ScreeningRecorded(Event, key="order_id"):
    """The order heard what risk decided."""

    order_id: OrderId
    decision: Annotated[Literal["pass", "review", "block"], Doc("What was decided.", "pass")]
    reasons: Reasons
    wait: NextWait | None = None


class StockPutBack(Event, key="order_id"):
    """Others may have the stock of these lines while a person decides whether the order, which is not paid, passes."""

    order_id: OrderId
    lines: Lines


class StockRequested(Event, key="order_id"):
    """A person let the order pass whose stock had been put back: its lines are reserved once more."""

    order_id: OrderId
    lines: Lines
    attempt: Attempt
    paid: Annotated[bool, Doc("Whether its money is held already.", False)]
    reserved_until: ReservedUntil
    wait: NextWait | None = None


class ReservationRecorded(Event, key="order_id"):
    """The order heard whether stock was set aside for a line."""

    order_id: OrderId
    line: Line
    attempt: Attempt
    reserved: Annotated[bool, Doc("Whether stock was set aside.", True)]


class PaymentRecorded(Event, key="order_id"):
    """The order is paid: its whole amount is held. `late` when it had already been cancelled."""

    order_id: OrderId
    amount: Amount
    late: Annotated[bool, Doc("Whether the order had already been cancelled.", False)] = False
    wait: NextWait | None = None


class OrderConfirmed(Event, key="order_id"):
    """Cleared, reserved (in this `attempt`) and paid: deliver these lines."""

    order_id: OrderId
    customer: Customer | None
    lines: Lines
    attempt: Attempt
    buyer_key: BuyerKey
    wait: NextWait | None = None


class OrderCancelled(Event, key="order_id"):
    """Will not be delivered. Reserved lines are released; money held is given back."""

    order_id: OrderId
    customer: Customer | None
    reason: Annotated[CancelReason, Doc("Why.", "unpaid")]
    note: Note = ""
    paid: Annotated[bool, Doc("Whether its money had come; it is given back.", False)]
    lines: Lines
    email: Email = ""
    locale: Locale = "zh"
    differs: Annotated[
        bool,
        Doc("Whether money came for it that is not what it costs; staff see to it.", False),
    ] = False


class PaymentDiffers(Event, key="order_id"):
    """Money came for the order that is not what it costs: a person must match it or give it back.

    `item` names it among the money that fits no payment.
    """

    order_id: OrderId
    customer: Customer | None
    item: DifferingMoney
    amount: Annotated[Money, Doc("What the channel says that it collected.", 9799)]
    expected: Total
    reason: Annotated[Id, Doc("Why it does not fit: a word, of which more may come.", "amount-mismatch")]
    email: Email = ""
    locale: Locale = "zh"


class PaymentDifferenceSettled(Event, key="order_id"):
    """Money that was not what the order costs has found its place.

    `how`: it paid the order (`matched`), went to the customer's `wallet` or back to where it came from (`returned`),
    staff saw to it (`by-hand`), or the channel named another amount instead (`corrected`). `waiting` is how much other
    money of the order still waits for a person.
    """

    order_id: OrderId
    customer: Customer | None
    item: DifferingMoney
    amount: Annotated[Money, Doc("What the channel had said that it collected.", 9799)]
    how: Annotated[DifferenceEnd, Doc("Where it went.", "returned")]
    waiting: Waiting
    email: Email = ""
    locale: Locale = "zh"


class OrderReopened(Event, key="order_id"):
    """A payment came after the order was cancelled for want of it: its lines are reserved once more."""

    order_id: OrderId
    lines: Lines
    attempt: Attempt
    reserved_until: ReservedUntil
    wait: NextWait | None = None
    amount: Annotated[Money | None, Doc("What was paid; null in events of before.", 9800)] = None
    email: Email = ""
    locale: Locale = "zh"


class LatePaymentDeclined(Event, key="order_id"):
    """A payment came for an order that stays cancelled: it goes back to its source."""

    order_id: OrderId
    amount: Amount
    reason: Reason = ""
    email: Email = ""
    locale: Locale = "zh"


class DeliveryRecorded(Event, key="order_id"):
    """The order heard how the delivery of a line ended."""

    order_id: OrderId
    line: Line
    delivered: Annotated[bool, Doc("Whether the line was delivered.", True)]
    numbers: Numbers
    reason: Reason = ""


class OrderCompleted(Event, key="order_id"):
    """Every line ended. `delivered` is earned and captured; `undelivered` is given back."""

    order_id: OrderId
    customer: Customer | None
    delivered: Annotated[Money, Doc("The value of the delivered lines.", 9800)]
    undelivered: Annotated[Money, Doc("What was not delivered is worth: it is given back.", 0)]
    agent: Agent | None
    email: Email = ""
    locale: Locale = "zh"


class DeliveryOverdue(Event, key="order_id"):
    """A confirmed order has lines that did not end in time: a person should look."""

    order_id: OrderId
    lines: Annotated[tuple[int, ...], Doc("The lines that did not end, from 1.", [1])]


class RefundApproved(Event, key="order_id"):
    """Part of a completed order is to be given back; the ledger does it. `line` and `number` name the key it is for."""

    order_id: OrderId
    refund_id: RefundId
    amount: Amount
    reason: Reason
    line: Annotated[int | None, Doc("The line of the key that it is for; null when for no certain key.", 1)] = None
    number: Annotated[
        int | None, Doc("The key that it is for, by its number in stock; null when for no certain key.", 17)
    ] = None


class RefundRecorded(Event, key="order_id"):
    """`amount` has reached the buyer; `refunded` is the sum so far, `full` when nothing is left."""

    order_id: OrderId
    customer: Customer | None
    refund_id: RefundId
    amount: Amount
    refunded: Annotated[Money, Doc("What has been given back so far.", 4900)]
    full: Annotated[bool, Doc("Whether nothing is left to give back.", False)]
    email: Email = ""
    locale: Locale = "zh"


class RefundFailed(Event, key="order_id"):
    """The channel did not pay a refund back: it is still owed, and can be asked for again."""

    order_id: OrderId
    customer: Customer | None
    refund_id: RefundId
    amount: Amount
    reason: Reason
    email: Email = ""
    locale: Locale = "zh"


class RepaymentDelayed(Event, key="order_id"):
    """The channel did not pay back money of the order that no refund is about: the rest of a payment, one that came too
    late, or one that did not fit. It is still owed, and staff see to it."""

    order_id: OrderId
    customer: Customer | None
    return_id: ReturnId
    amount: Amount
    reason: Reason
    email: Email = ""
    locale: Locale = "zh"


class RepaymentEnded(Event, key="order_id"):
    """Money that was delayed is back, or where it was not `returned`, a person found another use for it.

    `waiting` is how much other money of the order is still delayed, or waits for a person.
    """

    order_id: OrderId
    customer: Customer | None
    return_id: ReturnId
    amount: Amount
    returned: Annotated[bool, Doc("Whether it went back; if not, a person found another use for it.", True)]
    waiting: Waiting
    email: Email = ""
    locale: Locale = "zh"


class RefundRetried(Event, key="order_id"):
    """A refund that failed is asked for again; the ledger does it."""

    order_id: OrderId
    refund_id: RefundId
    amount: Amount
    reason: Reason


class ReplacementRequested(Event, key="order_id"):
    """Line `line` was added, free, to replace key `number` of line `replaces`."""

    order_id: OrderId
    line: Annotated[OrderLine, Doc("The line that was added, free of charge.")]
    replaces: Annotated[int, Doc("The line whose key is replaced.", 1)]
    number: Number
    reason: Reason
    reserved_until: ReservedUntil


class ReplacementConfirmed(Event, key="order_id"):
    """A fresh key is reserved for the replacement line: deliver it."""

    order_id: OrderId
    customer: Customer | None
    line: LineToDeliver
    buyer_key: BuyerKey


class ReplacementFailed(Event, key="order_id"):
    """No key was left to replace with; the price of one is refunded instead."""

    order_id: OrderId
    line: Line
    reason: Reason
