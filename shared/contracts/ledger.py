"""Double entry: payments, holds, captures, refunds and the entries behind them.

Accounts are named `<type>:<name>`:

- `wallet:<customer>` and `order:<order id>` (money paid directly for one order): what the shop owes buyers.
- `channel:<name>`: what a payment channel owes the shop.
- `suspense:<channel>`: received money that matches no payment.
- `by-hand:<channel>`: what people paid back instead of a channel.
- `difference:<channel>`: what the shop added or kept to make a payment whole, and what a channel paid back too much.
- `revenue:<site>`, `refunds:<site>`, `cost:<site>`, `commission-cost:<site>`: what the shop earned, refunded and spent.
- `supplier:<name>` and `commission:<agent>`: what the shop owes suppliers and agents.
- `claims:<supplier>`: what a supplier billed and nobody has accepted, or billed for goods that it did not deliver.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import At, Command, Doc, Event, Id, Money, Text, Value
from shared.contracts.fields import Amount, Line, Note, OrderId, Reason, RefundId, ReturnId, Supplier

PaymentId = Annotated[Id, Doc("The payment: the id of the order or of the deposit.", "1042")]
Account = Annotated[Id, Doc("The account, `<type>:<name>`.", "wallet:ann")]
Channel = Annotated[Id, Doc("The payment channel.", "alpay")]
ChannelRef = Annotated[Text, Doc("The channel's own number for the payment; may be empty.", "ch-551")]
CallbackId = Annotated[Id, Doc("The channel's id of its callback.", "cb-9001")]
AskUntil = Annotated[
    At, Doc("Until when the channel is asked about the payment; null for no longer.", "2026-01-01T10:00:00Z")
]
Item = Annotated[Id, Doc("The item: the id of money that matches no payment.", "8d969eef6ecad3c29a3a629280e686cf")]
BillId = Annotated[Id, Doc("The supplier's statement that billed it: `<delivery id>/s<number>`.", "1042/1/s1")]
EntryId = Annotated[Id, Doc("The manual entry.", "entry-3")]
OrderPaidFor = Annotated[OrderId, Doc("The order it pays for; null for a deposit.")]
OrderOfPayment = Annotated[OrderId, Doc("The order that the payment is for; null for a deposit.")]
UnpaidOrder = Annotated[OrderId, Doc("The order that ended unpaid; null for a deposit.")]
Payer = Annotated[Account, Doc("The account that paid; null for the payment's account.", "suspense:alpay")]

# The type of aggregate that a stream is of, by the key of its events.
AGGREGATES = {"payment_id": "payment", "order_id": "hold", "entry_id": "entry"}


class Posting(Value):
    """One side of an entry: a positive amount debits the account, a negative one credits it."""

    account: Account
    amount: Annotated[Money, Doc("Positive debits the account, negative credits it.", 9800)]


BALANCED = Doc(
    "The postings of the entry. Their amounts add up to zero; a positive one debits its account.",
    [
        {"account": "wallet:ann", "amount": {"amount": 9800, "currency": "CNY"}},
        {"account": "revenue:main", "amount": {"amount": -9800, "currency": "CNY"}},
    ],
)
Postings = Annotated[tuple[Posting, ...], Field(min_length=2), BALANCED]


class RequestPayment(Command, key="payment_id"):
    """Ask a payment channel to collect money into an account: a deposit, or an order's whole price."""

    payment_id: PaymentId
    account: Account
    amount: Amount
    channel: Channel
    order_id: OrderId | None = None


class RecordPaymentOpening(Command, key="payment_id"):
    payment_id: PaymentId
    opened: bool
    channel_ref: ChannelRef = ""
    pay_url: Text = ""
    reason: Reason = ""


class RecordCallback(Command, key="payment_id"):
    """Record a channel's statement about a payment. `authentic`: its signature is valid and its timestamp recent.

    `in_vain`: the channel was asked until the payment's time was over, without news. `unread`: its last answer can't be
    read.
    """

    payment_id: PaymentId
    channel: Channel
    callback_id: CallbackId
    channel_ref: ChannelRef
    amount: Amount
    status: Literal["paid", "failed"]
    authentic: bool
    in_vain: bool = False
    unread: bool = False
    reason: Reason = ""


class ClosePayment(Command, key="payment_id"):
    """Close the payment of an order that ended unpaid at its channel. Nothing happens when there is none to close."""

    payment_id: PaymentId


class StopPayment(Command, key="payment_id"):
    """Close a payment at its channel because a person asks for it, for the first time or again."""

    payment_id: PaymentId


class RecordClosing(Command, key="payment_id"):
    """Record a channel's answer to a request to close a payment. `paid` is what it says it collected instead."""

    payment_id: PaymentId
    channel: Channel
    closed: bool
    channel_ref: ChannelRef = ""
    paid: Money | None = None
    reason: Reason = ""


class ListedReturn(Value):
    """Another return that a channel says it paid."""

    return_id: Text
    amount: Amount


class RecordReturn(Command, key="payment_id"):
    """Record a channel's answer to a request to pay a return. `paid` is what it paid back, if that is not the amount of
    the return: then `returned` is false. `others` are the other returns of this payment that it lists."""

    payment_id: PaymentId
    return_id: ReturnId
    returned: bool
    paid: Money | None = None
    reason: Reason = ""
    others: tuple[ListedReturn, ...] = ()


class ReturnPayment(Command, key="payment_id"):
    """Pay money of an order's own account back to its source."""

    payment_id: PaymentId
    return_id: ReturnId
    amount: Amount


class RetryReturn(Command, key="payment_id"):
    """Ask the channel again for a return that failed. It is looked up first, so that it is never paid twice."""

    payment_id: PaymentId
    return_id: ReturnId


class RetryRefund(Command, key="payment_id"):
    """Try a refund again for the order. Like RetryReturn, but never refused."""

    payment_id: PaymentId
    return_id: ReturnId


class RecordReturnByHand(Command, key="payment_id"):
    """Record that a person paid a failed return in another way, or found that it was paid."""

    payment_id: PaymentId
    return_id: ReturnId
    note: Note


class MatchPayment(Command, key="payment_id"):
    """Match money that matched no payment: to its payment, or as a deposit to a customer's wallet.

    An order is then paid in full: the shop adds what is missing, and what is too much goes back.
    """

    payment_id: PaymentId
    item: Item
    wallet: Annotated[Id, Field(max_length=60)] | None = None
    note: Note


class GiveBackPayment(Command, key="payment_id"):
    """Pay money that matched no payment back to its source, exactly the amount that came."""

    payment_id: PaymentId
    item: Item
    note: Note


class SettlePayment(Command, key="payment_id"):
    """Record that a person settled money that matched no payment in another way. The note says how."""

    payment_id: PaymentId
    item: Item
    note: Note


class HoldFunds(Command, key="order_id"):
    """Hold an order's price on an account. When the account has too little, the event HoldRefused is the answer."""

    order_id: OrderId
    account: Account
    amount: Amount


class CaptureHold(Command, key="order_id"):
    """Capture `amount` of the hold as earned and release the rest. `agent` earns a commission on the capture."""

    order_id: OrderId
    amount: Amount
    agent: Id | None = None


class VoidHold(Command, key="order_id"):
    """Release the order's hold. Nothing happens when there is none."""

    order_id: OrderId
    reason: Reason


class RefundCapture(Command, key="order_id"):
    """Refund part of the captured amount, never more than is left of it."""

    order_id: OrderId
    refund_id: RefundId
    amount: Amount


class PostSupplierCost(Command, key="order_id"):
    """Book the `cost` that the shop owes a supplier for a line that it delivered."""

    order_id: OrderId
    line: Line
    supplier: Supplier
    cost: Money


class PostSupplierBill(Command, key="order_id"):
    """Book a supplier's bill that nobody has accepted yet: the shop owes it, and claims it back from the supplier.

    The same `bill_id` is posted once.
    """

    order_id: OrderId
    bill_id: BillId
    supplier: Supplier
    amount: Amount


class MoveSupplierClaim(Command, key="order_id"):
    """Turn a claim against a supplier into a `cost` of the shop, or a cost into a `claim`. Once for each decision."""

    order_id: OrderId
    bill_id: BillId
    supplier: Supplier
    amount: Amount
    decision: Literal["cost", "claim"]


class CreditSupplierClaim(Command, key="order_id"):
    """Book that a supplier credits a claim: the shop owes it that much less. Once for each bill."""

    order_id: OrderId
    bill_id: BillId
    supplier: Supplier
    amount: Amount


class PostEntry(Command, key="entry_id"):
    """A manual entry by finance. Postings must balance in every currency and respect every account's rule."""

    entry_id: EntryId
    postings: Postings
    note: Note


class ReverseEntry(Command, key="entry_id"):
    """Post the opposite of a manual entry, once."""

    entry_id: EntryId
    note: Note


class PaymentRequested(Event, key="payment_id"):
    """A payment channel is to collect money into an account."""

    payment_id: PaymentId
    account: Account
    amount: Amount
    channel: Channel
    order_id: OrderPaidFor | None
    ask_until: AskUntil | None = None


class PaymentOpened(Event, key="payment_id"):
    """The channel is ready to collect; the buyer pays at `pay_url`."""

    payment_id: PaymentId
    channel_ref: ChannelRef
    pay_url: Annotated[Text, Doc("Where the buyer pays.", "https://pay.example.com/ch-551")]


class PaymentOpeningFailed(Event, key="payment_id"):
    """The channel did not open the payment; nobody can pay it."""

    payment_id: PaymentId
    reason: Reason


class PaymentClosing(Event, key="payment_id"):
    """The payment is no longer needed: the channel is to close it and take no money for it."""

    payment_id: PaymentId
    channel: Channel
    order_id: UnpaidOrder | None


class PaymentClosed(Event, key="payment_id"):
    """The channel says that it takes no more money for the payment. If it still reports money, that counts."""

    payment_id: PaymentId
    order_id: UnpaidOrder | None


class PaymentNotClosed(Event, key="payment_id"):
    """The channel did not close the payment. Unless it was `paid` instead, it can still be paid, and a person must look
    at it."""

    payment_id: PaymentId
    order_id: UnpaidOrder | None
    paid: Annotated[Money | None, Doc("What was paid before it could be closed; null when it can still be paid.", 9800)]
    reason: Reason


class PaymentReceived(Event, key="payment_id"):
    """The channel collected the money: the entry debits the channel and credits the account."""

    payment_id: PaymentId
    account: Account
    amount: Amount
    channel: Channel
    channel_ref: ChannelRef
    callback_id: CallbackId
    order_id: OrderPaidFor | None
    postings: Postings
    came: Annotated[
        Money | None,
        Doc("What the channel collected, if it is less than the amount; else null.", 9799),
    ] = None


# Reasons of PaymentUnmatched. The channel gave one reference to this payment and to another, which already has it.
SHARED_REFERENCE = "shared-reference"
# The channel's statement names the reference of another payment, which has the reference and the money.
ANOTHERS_REFERENCE = "anothers-reference"
# The channel's last answer, when the payment's time was over, can't be read: the channel may have collected.
UNREAD_ANSWER = "unread-answer"
# The channel opened the payment under another reference than the one it had reported as paid.
OTHER_REFERENCE = "other-reference"
# The channel lists a return that the ledger did not request, such as a chargeback: the money has left the channel.
UNASKED_RETURN = "unasked-return"
# Reasons that report no other money: the buyer gets no message.
UNTOLD = frozenset({UNREAD_ANSWER, OTHER_REFERENCE, UNASKED_RETURN})


class PaymentUnmatched(Event, key="payment_id"):
    """The channel reported money that is not what a payment asked for. A person must match it or give it back.

    The entry debits the channel and credits the suspense account. There is no entry when the channel contradicts what
    is already booked, or when its answer can't be read.
    """

    payment_id: Annotated[PaymentId, Doc("The payment that the channel named; it may be unknown.")]
    item: Item
    channel: Channel
    channel_ref: ChannelRef
    callback_id: CallbackId
    amount: Annotated[Money, Doc("The amount that the channel says it collected.", 9799)]
    expected: Annotated[Money | None, Doc("What the payment asked for; null for an unknown payment.", 9800)]
    reason: Annotated[Id, Doc("Why it matches no payment: a code. More codes may be added.", "amount-mismatch")]
    order_id: OrderOfPayment | None
    ask_until: AskUntil | None = None
    postings: Annotated[
        tuple[Posting, ...],
        Doc(
            "The entry; empty when the channel contradicts what is booked, or its answer can't be read.",
            [
                {"account": "channel:alpay", "amount": {"amount": 9799, "currency": "CNY"}},
                {"account": "suspense:alpay", "amount": {"amount": -9799, "currency": "CNY"}},
            ],
        ),
    ]


class UnmatchedSettled(Event, key="payment_id"):
    """Money that matched no payment was settled: `matched` to a payment or a wallet, `returned`, settled `by-hand`, or
    `corrected`, because the channel named another amount instead."""

    payment_id: PaymentId
    item: Item
    how: Annotated[Id, Doc("How: `matched`, `returned`, `by-hand` or `corrected`.", "matched")]
    amount: Annotated[Money, Doc("The amount of the item.", 9799)]
    note: Note
    order_id: OrderOfPayment | None
    postings: Annotated[
        tuple[Posting, ...],
        Doc(
            "The entry; empty when another event of the payment has it.",
            [
                {"account": "suspense:alpay", "amount": {"amount": 9799, "currency": "CNY"}},
                {"account": "wallet:ann", "amount": {"amount": -9799, "currency": "CNY"}},
            ],
        ),
    ]


class CallbackRefused(Event, key="payment_id"):
    """A callback was recorded, and nothing was booked: it is not authentic, does not match the payment, or reports
    no new payment."""

    payment_id: PaymentId
    channel: Channel
    callback_id: CallbackId
    reason: Annotated[
        Literal[
            "bad-signature", "replayed", "wrong-amount", "wrong-channel", "unknown-payment", "wrong-reference", "failed"
        ],
        Doc("Why nothing was booked.", "bad-signature"),
    ]
    channel_ref: ChannelRef = ""
    amount: Annotated[Money | None, Doc("The amount that the channel named; null when it named none.", 9800)] = None
    reference_of: Annotated[
        PaymentId | None,
        Doc("The payment that has this reference, if it is another one.", "1041"),
    ] = None
    ask_until: AskUntil | None = None


class ReturnRequested(Event, key="payment_id"):
    """The channel is to pay money back to its source."""

    payment_id: PaymentId
    return_id: ReturnId
    amount: Amount
    channel: Channel
    channel_ref: ChannelRef
    account: Annotated[
        Account | None,
        Doc("The account that pays; null for the payment's account.", "suspense:alpay"),
    ] = None
    difference: Annotated[
        Money | None, Doc("What the shop had added to the payment and takes back now; null for nothing.", 1)
    ] = None
    again: Annotated[bool, Doc("Whether the return was requested before, and failed.", False)] = False


class PaymentReturned(Event, key="payment_id"):
    """The channel paid the money back to its source: the entry debits the account and credits the channel."""

    payment_id: PaymentId
    return_id: ReturnId
    amount: Amount
    postings: Postings
    account: Payer | None = None


class ReturnFailed(Event, key="payment_id"):
    """The channel did not pay the money back, or `paid` back another amount. A person must look at it.

    What the channel paid is booked: the entry debits the account, and debits `difference` with what is too much or in
    another currency. The rest of the money stays on the account.
    """

    payment_id: PaymentId
    return_id: ReturnId
    amount: Amount
    reason: Reason
    account: Annotated[
        Account | None, Doc("The account that was to pay; null for the payment's account.", "suspense:alpay")
    ] = None
    paid: Annotated[
        Money | None, Doc("What the channel paid back, if it is not the amount; null when it paid nothing.", 9700)
    ] = None
    postings: Annotated[
        tuple[Posting, ...],
        Doc(
            "The entry of what the channel paid back; empty when it paid nothing.",
            [
                {"account": "suspense:alpay", "amount": {"amount": 9700, "currency": "CNY"}},
                {"account": "channel:alpay", "amount": {"amount": -9700, "currency": "CNY"}},
            ],
        ),
    ] = ()


class ReturnedByHand(Event, key="payment_id"):
    """A person paid a failed return back in another way: the entry debits the account and credits `by-hand`.

    `amount` is the whole return. The entry moves the part that the channel had not paid back, which may be zero.
    """

    payment_id: PaymentId
    return_id: ReturnId
    amount: Amount
    note: Note
    postings: Postings
    account: Payer | None = None


class FundsHeld(Event, key="order_id"):
    """An order's price was held on an account."""

    order_id: OrderId
    account: Account
    amount: Amount


class HoldRefused(Event, key="order_id"):
    """The account has too little for the order; nothing was held."""

    order_id: OrderId
    account: Account
    amount: Amount
    available: Annotated[Money, Doc("What is available on the account.", 3000)]


class FundsCaptured(Event, key="order_id"):
    """`amount` of the hold was captured as earned, which the postings book; `released` of it is free again."""

    order_id: OrderId
    account: Account
    amount: Amount
    released: Annotated[Money, Doc("The part of the hold that was released.", 0)]
    postings: Annotated[tuple[Posting, ...], BALANCED]


class HoldVoided(Event, key="order_id"):
    """An order's hold was released; nothing was captured."""

    order_id: OrderId
    account: Account
    amount: Amount
    reason: Reason


class FundsRefunded(Event, key="order_id"):
    """Part of an order's captured amount was given back to the account."""

    order_id: OrderId
    refund_id: RefundId
    account: Account
    amount: Amount
    postings: Postings


class SupplierCostPosted(Event, key="order_id"):
    """The shop owes a supplier for a line that it delivered."""

    order_id: OrderId
    line: Line
    supplier: Supplier
    cost: Annotated[Money, Doc("What the shop owes the supplier for the line.", 8200)]
    postings: Postings


class SupplierBillPosted(Event, key="order_id"):
    """A supplier's bill that nobody has accepted yet was booked: the shop owes it, and claims it back."""

    order_id: OrderId
    bill_id: BillId
    supplier: Supplier
    amount: Amount
    postings: Postings


class SupplierClaimMoved(Event, key="order_id"):
    """A claim against a supplier became a cost of the shop, or a cost became a claim."""

    order_id: OrderId
    bill_id: BillId
    supplier: Supplier
    amount: Amount
    decision: Annotated[Literal["cost", "claim"], Doc("Whether it became a cost, or a claim.", "cost")]
    postings: Postings


class SupplierClaimCredited(Event, key="order_id"):
    """A claim was won: the shop owes the supplier that much less. If the supplier was already paid, it pays the amount
    back by hand."""

    order_id: OrderId
    bill_id: BillId
    supplier: Supplier
    amount: Annotated[Money, Doc("The part of the claim that the supplier credits.", 4100)]
    postings: Postings


class EntryPosted(Event, key="entry_id"):
    """Finance posted a manual entry."""

    entry_id: EntryId
    postings: Postings
    note: Note


class EntryReversed(Event, key="entry_id"):
    """A manual entry was undone by its opposite. The postings are those of the opposite."""

    entry_id: EntryId
    postings: Postings
    note: Note


# Every event that moves money: it carries the entry of the books, whose postings balance.
Entry = (
    PaymentReceived
    | PaymentUnmatched
    | UnmatchedSettled
    | PaymentReturned
    | ReturnedByHand
    | ReturnFailed
    | FundsCaptured
    | FundsRefunded
    | SupplierCostPosted
    | SupplierBillPosted
    | SupplierClaimMoved
    | SupplierClaimCredited
    | EntryPosted
    | EntryReversed
)
