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


# Other ids contain these ("wallet:<customer>", "<order id>/<line>#<supplier>"), so these are shorter.
NewOrderId = Annotated[OrderId, Field(max_length=40)]
Name = Annotated[Id, Field(max_length=60)]

Target = Annotated[Text, Doc("The account or phone to top up; null where the product needs none.", "13800000000")]
Agent = Annotated[Id, Doc("The agent who brought the buyer and earns a commission, if any.", "bo")]
ReservedUntil = Annotated[At, Doc("Until when the stock is reserved.", "2026-01-01T08:25:00Z")]
Total = Annotated[Money, Doc("The total price of the order.", 9800)]
DifferingMoney = Annotated[
    Id, Doc("The item: the id of the money among what matches no payment, as in PaymentUnmatched.", "5f2b7c0d9a4e41d6")
]
Waiting = Annotated[int, Doc("How many other amounts of the order are delayed or wait for a person.", 0)]

# The type of aggregate that a stream is of, by the key of its events.
AGGREGATES = {"order_id": "order"}


class Wish(Value):
    """What a buyer orders, without a price. `target` is the account or phone to top up, if the product needs one."""

    sku: Sku
    quantity: Quantity
    target: Target | None = None


class OrderLine(Value):
    """A line as sold. `line` counts from 1; a replacement is a further line of the same order, free of charge.

    `costs_nothing`: a supplier delivers it, and charges the shop nothing according to the listing.
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
    costs_nothing: Annotated[bool, Doc("Whether a supplier delivers it and charges nothing.", False)] = Field(
        default=False, exclude_if=is_false
    )


LineToDeliver = Annotated[OrderLine, Doc("The line to deliver, as sold.")]
Lines = Annotated[tuple[OrderLine, ...], Doc("The lines, as sold.")]


class Wait(Value):
    """What an order waits for next, in which attempt, and until when."""

    step: Annotated[Step, Doc("What it waits for.", "payment")]
    attempt: Annotated[int, Doc("The attempt that the order is in.", 1)]
    until: Annotated[At, Doc("When the wait ends.", "2026-01-01T08:15:00Z")]


NextWait = Annotated[Wait, Doc("What the order waits for next; null when for nothing.")]


class PlaceOrder(Command, key="order_id"):
    """Place an order at the catalogue's prices. Payment is `wallet` or a payment channel's name.

    `buyer_key` is the public key that deliveries are sealed to. `expected_total`, if given, must equal the total.
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
    """Refund `amount` of a completed order; None refunds all that is left. The same `refund_id` refunds once.

    `line` and `number` name a delivered key: its whole price is refunded, and it can't be replaced any more.
    """

    order_id: OrderId
    refund_id: RefundId
    amount: Amount | None = None
    line: Line | None = None
    number: Number | None = None
    reason: Reason


class ReplaceKey(Command, key="order_id"):
    """Replace one delivered key, named by its line and its number in stock, by a new one of the same SKU."""

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
    """Record that the ledger holds the order's whole amount, or why it can't."""

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
    """Record that a refund reached the buyer, in the wallet or where the order was paid from."""

    order_id: OrderId
    refund_id: RefundId
    amount: Amount


class RecordRefundFailure(Command, key="order_id"):
    """Record that the channel did not pay `amount` back: a refund, or other money of the order."""

    order_id: OrderId
    refund_id: RefundId
    reason: Reason
    amount: Amount | None = None


class DropRepayment(Command, key="order_id"):
    """Record that a person found another use for money that was to go back."""

    order_id: OrderId
    refund_id: RefundId


class RecordOtherPayment(Command, key="order_id"):
    """Record that the order's channel reported money that does not match the order's payment."""

    order_id: OrderId
    item: DifferingMoney
    amount: Amount
    expected: Total
    reason: Id


class RecordDifferenceSettled(Command, key="order_id"):
    """Record how money that did not match the order's payment was settled."""

    order_id: OrderId
    item: DifferingMoney
    how: DifferenceEnd


class MeetDeadline(Command, key="order_id"):
    """End the wait for a step, because its time is over. `step` and `attempt` name the wait; if the order no longer
    waits for it, nothing happens."""

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
    fingerprint: Annotated[str, Doc("SHA-256 of the fields that identify the order, in hexadecimal.", "0a1b2c3d" * 8)]
    pay_by: Annotated[At, Doc("Until when it must be paid.", "2026-01-01T08:15:00Z")]
    reserved_until: ReservedUntil
    wait: NextWait | None = None


class ScreeningRecorded(Event, key="order_id"):
    """The order recorded the decision of risk."""

    order_id: OrderId
    decision: Annotated[Literal["pass", "review", "block"], Doc("What was decided.", "pass")]
    reasons: Reasons
    wait: NextWait | None = None


class StockPutBack(Event, key="order_id"):
    """The stock of these lines was put back for other orders, because a person must first decide whether the order,
    which is not paid, passes."""

    order_id: OrderId
    lines: Lines


class StockRequested(Event, key="order_id"):
    """A person let the order pass after its stock had been put back. Its lines are to be reserved again."""

    order_id: OrderId
    lines: Lines
    attempt: Attempt
    paid: Annotated[bool, Doc("Whether its money is already held.", False)]
    reserved_until: ReservedUntil
    wait: NextWait | None = None


class ReservationRecorded(Event, key="order_id"):
    """The order recorded whether stock was reserved for a line."""

    order_id: OrderId
    line: Line
    attempt: Attempt
    reserved: Annotated[bool, Doc("Whether stock was reserved.", True)]


class PaymentRecorded(Event, key="order_id"):
    """The order is paid: its whole amount is held. `late` means that it had already been cancelled."""

    order_id: OrderId
    amount: Amount
    late: Annotated[bool, Doc("Whether the order had already been cancelled.", False)] = False
    wait: NextWait | None = None


class OrderConfirmed(Event, key="order_id"):
    """The order passed its screening, its stock is reserved (in this `attempt`), and it is paid. These lines are to be
    delivered."""

    order_id: OrderId
    customer: Customer | None
    lines: Lines
    attempt: Attempt
    buyer_key: BuyerKey
    wait: NextWait | None = None


class OrderCancelled(Event, key="order_id"):
    """The order was cancelled and will not be delivered. Reserved stock is released, and held money is given back."""

    order_id: OrderId
    customer: Customer | None
    reason: Annotated[CancelReason, Doc("Why it was cancelled.", "unpaid")]
    note: Note = ""
    paid: Annotated[bool, Doc("Whether its money had been received; it is given back.", False)]
    lines: Lines
    email: Email = ""
    locale: Locale = "zh"
    differs: Annotated[
        bool,
        Doc("Whether money came that does not match its payment; staff settle it.", False),
    ] = False


class PaymentDiffers(Event, key="order_id"):
    """The channel reported money for the order that does not match its payment. A person must match it or give it back.

    `item` is its id in the ledger's PaymentUnmatched.
    """

    order_id: OrderId
    customer: Customer | None
    item: DifferingMoney
    amount: Annotated[Money, Doc("The amount that the channel says it collected.", 9799)]
    expected: Total
    reason: Annotated[Id, Doc("Why it does not match: a code. More codes may be added.", "amount-mismatch")]
    email: Email = ""
    locale: Locale = "zh"


class PaymentDifferenceSettled(Event, key="order_id"):
    """Money that did not match the order's payment was settled.

    `how`: it paid the order (`matched`), went to the customer's `wallet` or back to where it came from (`returned`),
    staff settled it in another way (`by-hand`), or the channel named another amount instead (`corrected`). `waiting`
    counts the other amounts of the order that are delayed or wait for a person.
    """

    order_id: OrderId
    customer: Customer | None
    item: DifferingMoney
    amount: Annotated[Money, Doc("The amount that the channel said it collected.", 9799)]
    how: Annotated[DifferenceEnd, Doc("How it was settled.", "returned")]
    waiting: Waiting
    email: Email = ""
    locale: Locale = "zh"


class OrderReopened(Event, key="order_id"):
    """The payment came after the order had been cancelled as unpaid. The order goes on: its lines are to be reserved
    again."""

    order_id: OrderId
    lines: Lines
    attempt: Attempt
    reserved_until: ReservedUntil
    wait: NextWait | None = None
    amount: Annotated[Money | None, Doc("What was paid; null in older events, which lack it.", 9800)] = None
    email: Email = ""
    locale: Locale = "zh"


class LatePaymentDeclined(Event, key="order_id"):
    """A payment came for an order that stays cancelled. The money goes back to its source."""

    order_id: OrderId
    amount: Amount
    reason: Reason = ""
    email: Email = ""
    locale: Locale = "zh"


class DeliveryRecorded(Event, key="order_id"):
    """The order recorded how the delivery of a line ended."""

    order_id: OrderId
    line: Line
    delivered: Annotated[bool, Doc("Whether the line was delivered.", True)]
    numbers: Numbers
    reason: Reason = ""


class OrderCompleted(Event, key="order_id"):
    """The delivery of every line ended. The amount `delivered` is captured; the amount `undelivered` is given back."""

    order_id: OrderId
    customer: Customer | None
    delivered: Annotated[Money, Doc("The value of the delivered lines.", 9800)]
    undelivered: Annotated[Money, Doc("The value of the lines that were not delivered; it is given back.", 0)]
    agent: Agent | None
    email: Email = ""
    locale: Locale = "zh"


class DeliveryOverdue(Event, key="order_id"):
    """The delivery of some lines of a confirmed order did not end in time. A person should look at the order."""

    order_id: OrderId
    lines: Annotated[tuple[int, ...], Doc("The lines whose delivery did not end, from 1.", [1])]


class RefundApproved(Event, key="order_id"):
    """Part of a completed order is to be refunded by the ledger. `line` and `number` name the key that it is for."""

    order_id: OrderId
    refund_id: RefundId
    amount: Amount
    reason: Reason
    line: Annotated[int | None, Doc("The line of the key that it is for; null when it is for no single key.", 1)] = None
    number: Annotated[
        int | None, Doc("The number in stock of the key that it is for; null when it is for no single key.", 17)
    ] = None


class RefundRecorded(Event, key="order_id"):
    """A refund reached the buyer. `refunded` is the sum of all refunds so far; `full` means that nothing is left."""

    order_id: OrderId
    customer: Customer | None
    refund_id: RefundId
    amount: Amount
    refunded: Annotated[Money, Doc("The sum of all refunds so far.", 4900)]
    full: Annotated[bool, Doc("Whether nothing is left to refund.", False)]
    email: Email = ""
    locale: Locale = "zh"


class RefundFailed(Event, key="order_id"):
    """The channel did not pay a refund back. It is still owed, and can be requested again."""

    order_id: OrderId
    customer: Customer | None
    refund_id: RefundId
    amount: Amount
    reason: Reason
    email: Email = ""
    locale: Locale = "zh"


class RepaymentDelayed(Event, key="order_id"):
    """The channel did not pay back money of the order that is not a refund: the rest of a payment, one that came too
    late, or one that did not match. It is still owed, and staff must settle it."""

    order_id: OrderId
    customer: Customer | None
    return_id: ReturnId
    amount: Amount
    reason: Reason
    email: Email = ""
    locale: Locale = "zh"


class RepaymentEnded(Event, key="order_id"):
    """Money that was delayed was paid back. If not `returned`, a person found another use for it.

    `waiting` counts the other amounts of the order that are still delayed or wait for a person.
    """

    order_id: OrderId
    customer: Customer | None
    return_id: ReturnId
    amount: Amount
    returned: Annotated[bool, Doc("Whether it was paid back; if not, a person found another use for it.", True)]
    waiting: Waiting
    email: Email = ""
    locale: Locale = "zh"


class RefundRetried(Event, key="order_id"):
    """A refund that failed is to be tried again by the ledger."""

    order_id: OrderId
    refund_id: RefundId
    amount: Amount
    reason: Reason


class ReplacementRequested(Event, key="order_id"):
    """A line was added, free of charge, to replace the key `number` of line `replaces`."""

    order_id: OrderId
    line: Annotated[OrderLine, Doc("The line that was added, free of charge.")]
    replaces: Annotated[int, Doc("The line whose key is replaced.", 1)]
    number: Number
    reason: Reason
    reserved_until: ReservedUntil


class ReplacementConfirmed(Event, key="order_id"):
    """A new key is reserved for the replacement line, which is to be delivered."""

    order_id: OrderId
    customer: Customer | None
    line: LineToDeliver
    buyer_key: BuyerKey


class ReplacementFailed(Event, key="order_id"):
    """No key was left as a replacement. The price of one key is refunded instead."""

    order_id: OrderId
    line: Line
    reason: Reason
