"""Double entry: payments, holds, captures, refunds and the entries behind them.

Accounts are named `<type>:<name>`: `wallet:<customer>` and `order:<order id>` (money paid straight for one order) are
what we owe buyers; `channel:<name>` is what a payment channel owes us; `suspense:<channel>` is money that came and fits
no payment; `by-hand:<channel>` is what people paid back in a channel's place, `difference:<channel>` what we gave or
kept to make a payment whole, or a channel paid back too much; `revenue:<site>`, `refunds:<site>`, `cost:<site>`,
`commission-cost:<site>`; `supplier:<name>` and `commission:<agent>` are what we owe them; `claims:<supplier>` is what a
supplier billed and nobody has accepted, or delivered not after all.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import At, Command, Doc, Event, Id, Money, Text, Value
from shared.contracts.fields import Amount, Line, Note, OrderId, Reason, RefundId, ReturnId, Supplier

PaymentId = Annotated[Id, Doc("The payment: an order's id, or that of a deposit.", "1042")]
Account = Annotated[Id, Doc("The account, `<type>:<name>`.", "wallet:ann")]
Channel = Annotated[Id, Doc("The payment channel.", "alpay")]
ChannelRef = Annotated[Text, Doc("The channel's own number for the payment; may be empty.", "ch-551")]
CallbackId = Annotated[Id, Doc("The channel's callback, by its own id.", "cb-9001")]
AskUntil = Annotated[
    At, Doc("Until when the channel is asked for the payment; null for no longer.", "2026-01-01T10:00:00Z")
]
Item = Annotated[Id, Doc("The money that fitted no payment, by an id of its own.", "8d969eef6ecad3c29a3a629280e686cf")]
BillId = Annotated[Id, Doc("The supplier's statement that billed it: `<delivery id>/s<number>`.", "1042/1/s1")]
EntryId = Annotated[Id, Doc("The entry that finance made.", "entry-3")]
OrderPaidFor = Annotated[OrderId, Doc("The order it pays for; null for a deposit.")]
OrderOfPayment = Annotated[OrderId, Doc("The order that the payment is for; null for a deposit.")]
UnpaidOrder = Annotated[OrderId, Doc("The order that ended unpaid; null for a deposit.")]
Payer = Annotated[Account, Doc("The account that paid; null for the payment's own.", "suspense:alpay")]

# What a stream is called by, by the key of its events.
AGGREGATES = {"payment_id": "payment", "order_id": "hold", "entry_id": "entry"}


class Posting(Value):
    """One side of an entry: a positive amount debits the account, a negative one credits it."""

    account: Account
    amount: Annotated[Money, Doc("Positive debits the account, negative credits it.", 9800)]


BALANCED = Doc(
    "The entry: its amounts add up to nothing, a positive one debits its account.",
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
    """A payment channel told us something. `authentic` is whether its signature held and its time was fresh.

    `in_vain`: it told nothing that we waited for, and is asked no more. `unread`: what it answered last can't be read.
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
    """An order ended unpaid: the channel is to close its payment. Nothing happens where there is none to close."""

    payment_id: PaymentId


class StopPayment(Command, key="payment_id"):
    """A person wants a payment closed at its channel, for the first time or once more."""

    payment_id: PaymentId


class RecordClosing(Command, key="payment_id"):
    """What a channel said when it was asked to close a payment. `paid` is what it says that it collected instead."""

    payment_id: PaymentId
    channel: Channel
    closed: bool
    channel_ref: ChannelRef = ""
    paid: Money | None = None
    reason: Reason = ""


class ListedReturn(Value):
    """One more return that a channel says it paid."""

    return_id: Text
    amount: Amount


class RecordReturn(Command, key="payment_id"):
    """What the channel said to a request to pay `amount` back. `paid` is what it paid back where that is not `amount`:
    then it is not returned. `others` are the other returns of this payment that it lists."""

    payment_id: PaymentId
    return_id: ReturnId
    returned: bool
    paid: Money | None = None
    reason: Reason = ""
    others: tuple[ListedReturn, ...] = ()


class ReturnPayment(Command, key="payment_id"):
    """Pay money of an order's own account back to where it came from."""

    payment_id: PaymentId
    return_id: ReturnId
    amount: Amount


class RetryReturn(Command, key="payment_id"):
    """Ask the channel once more for a return that failed. It is looked up first, so that it is never paid twice."""

    payment_id: PaymentId
    return_id: ReturnId


class RetryRefund(Command, key="payment_id"):
    """The order wants a refund tried again: like RetryReturn, and never refused."""

    payment_id: PaymentId
    return_id: ReturnId


class RecordReturnByHand(Command, key="payment_id"):
    """A person paid a failed return back in another way, or found that it was paid."""

    payment_id: PaymentId
    return_id: ReturnId
    note: Note


class MatchPayment(Command, key="payment_id"):
    """Take money that fitted no payment for what it is: its payment, or a deposit into a customer's wallet.

    An order is paid whole: what is missing is ours to give, what is too much goes back.
    """

    payment_id: PaymentId
    item: Item
    wallet: Annotated[Id, Field(max_length=60)] | None = None
    note: Note


class GiveBackPayment(Command, key="payment_id"):
    """Pay exactly what came, and fitted no payment, back to where it came from."""

    payment_id: PaymentId
    item: Item
    note: Note


class SettlePayment(Command, key="payment_id"):
    """A person saw to money that fitted no payment in another way: the note says how."""

    payment_id: PaymentId
    item: Item
    note: Note


class HoldFunds(Command, key="order_id"):
    """Set an order's price aside on an account. It is refused, in an event, when the account has too little."""

    order_id: OrderId
    account: Account
    amount: Amount


class CaptureHold(Command, key="order_id"):
    """Take `amount` of the hold as earned and free the rest. `agent` earns its commission on it."""

    order_id: OrderId
    amount: Amount
    agent: Id | None = None


class VoidHold(Command, key="order_id"):
    """Free the order's hold; nothing happens when there is none."""

    order_id: OrderId
    reason: Reason


class RefundCapture(Command, key="order_id"):
    """Give back part of what was captured, never more than is left of it."""

    order_id: OrderId
    refund_id: RefundId
    amount: Amount


class PostSupplierCost(Command, key="order_id"):
    """A supplier delivered a line: we owe it `cost`."""

    order_id: OrderId
    line: Line
    supplier: Supplier
    cost: Money


class PostSupplierBill(Command, key="order_id"):
    """A supplier bills us for what did not reach a buyer as planned: owed, and held against the supplier.

    The same `bill_id` is posted once.
    """

    order_id: OrderId
    bill_id: BillId
    supplier: Supplier
    amount: Amount


class MoveSupplierClaim(Command, key="order_id"):
    """Make what is claimed of a supplier a `cost` of ours, or what was a cost a `claim`. Once for each decision."""

    order_id: OrderId
    bill_id: BillId
    supplier: Supplier
    amount: Amount
    decision: Literal["cost", "claim"]


class CreditSupplierClaim(Command, key="order_id"):
    """A supplier credits what we claimed of it: we owe it that much less. Once for each bill."""

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
    """Nobody needs the payment any more: the channel is to take no money for it."""

    payment_id: PaymentId
    channel: Channel
    order_id: UnpaidOrder | None


class PaymentClosed(Event, key="payment_id"):
    """The channel says that it takes no money for the payment any more. What it tells all the same still counts."""

    payment_id: PaymentId
    order_id: UnpaidOrder | None


class PaymentNotClosed(Event, key="payment_id"):
    """The channel did not close the payment. Unless it was `paid` instead, a person must look: it may still be paid."""

    payment_id: PaymentId
    order_id: UnpaidOrder | None
    paid: Annotated[
        Money | None, Doc("What was paid before it could be closed; null where it can still be paid.", 9800)
    ]
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
        Doc("What the channel collected, where it is less than the amount; null where it is the amount.", 9799),
    ] = None


# The reason of money whose reference the channel gave to this payment and to another, which has it already.
SHARED_REFERENCE = "shared-reference"
# The channel says of this payment what it had said of another: that one has the reference, and the money.
ANOTHERS_REFERENCE = "anothers-reference"
# The channel's last answer, when asking was over, can't be read: it may have collected.
UNREAD_ANSWER = "unread-answer"
# The channel opened the payment under another reference than it had told that it was paid under.
OTHER_REFERENCE = "other-reference"
# The channel lists a return that nobody here asked for, such as a chargeback: the money left.
UNASKED_RETURN = "unasked-return"
# What the channel says of a payment without saying that other money came: its buyer is told nothing.
UNTOLD = frozenset({UNREAD_ANSWER, OTHER_REFERENCE, UNASKED_RETURN})


class PaymentUnmatched(Event, key="payment_id"):
    """The channel told of money that is not what a payment asked for: a person must match it or give it back.

    The entry debits the channel and credits the suspense account. There is none where the channel contradicts what is
    already booked, or can't be understood.
    """

    payment_id: Annotated[PaymentId, Doc("The payment that the channel named; it need not be one of ours.")]
    item: Item
    channel: Channel
    channel_ref: ChannelRef
    callback_id: CallbackId
    amount: Annotated[Money, Doc("What the channel says that it collected.", 9799)]
    expected: Annotated[Money | None, Doc("What the payment asked for; null for a payment that we do not know.", 9800)]
    reason: Annotated[Id, Doc("Why it fits no payment: a word, of which more may come.", "amount-mismatch")]
    order_id: OrderOfPayment | None
    ask_until: AskUntil | None = None
    postings: Annotated[
        tuple[Posting, ...],
        Doc(
            "The entry; empty where the channel contradicts what is booked, or can't be understood.",
            [
                {"account": "channel:alpay", "amount": {"amount": 9799, "currency": "CNY"}},
                {"account": "suspense:alpay", "amount": {"amount": -9799, "currency": "CNY"}},
            ],
        ),
    ]


class UnmatchedSettled(Event, key="payment_id"):
    """Money that fitted no payment has found its place. `how` is `matched`, `returned`, `by-hand` or `corrected`."""

    payment_id: PaymentId
    item: Item
    how: Annotated[Id, Doc("How: `matched`, `returned`, `by-hand` or `corrected`.", "matched")]
    amount: Annotated[Money, Doc("What it was about.", 9799)]
    note: Note
    order_id: OrderOfPayment | None
    postings: Annotated[
        tuple[Posting, ...],
        Doc(
            "The entry; empty where another event of the payment has it.",
            [
                {"account": "suspense:alpay", "amount": {"amount": 9799, "currency": "CNY"}},
                {"account": "wallet:ann", "amount": {"amount": -9799, "currency": "CNY"}},
            ],
        ),
    ]


class CallbackRefused(Event, key="payment_id"):
    """A callback that was not believed or not needed; nothing moved."""

    payment_id: PaymentId
    channel: Channel
    callback_id: CallbackId
    reason: Annotated[
        Literal[
            "bad-signature", "replayed", "wrong-amount", "wrong-channel", "unknown-payment", "wrong-reference", "failed"
        ],
        Doc("Why it was not believed, or not needed.", "bad-signature"),
    ]
    channel_ref: ChannelRef = ""
    amount: Annotated[Money | None, Doc("What the channel said had been paid; null where it did not say.", 9800)] = None
    reference_of: Annotated[
        PaymentId | None,
        Doc("The payment that this reference belongs to, if it is another.", "1041"),
    ] = None
    ask_until: AskUntil | None = None


class ReturnRequested(Event, key="payment_id"):
    """The channel is to pay money back to where it came from."""

    payment_id: PaymentId
    return_id: ReturnId
    amount: Amount
    channel: Channel
    channel_ref: ChannelRef
    account: Annotated[
        Account | None,
        Doc("The account that pays; null for the payment's own.", "suspense:alpay"),
    ] = None
    difference: Annotated[
        Money | None, Doc("What we had added to the payment, and take back with this return; null for nothing.", 1)
    ] = None
    again: Annotated[bool, Doc("Whether it was asked for before, and failed.", False)] = False


class PaymentReturned(Event, key="payment_id"):
    """The channel paid the money back to its source: the entry debits the account and credits the channel."""

    payment_id: PaymentId
    return_id: ReturnId
    amount: Amount
    postings: Postings
    account: Payer | None = None


class ReturnFailed(Event, key="payment_id"):
    """The channel would not pay back, or `paid` back something else; a person must look.

    What it paid all the same is booked: the entry debits the account, and `difference` with what is too much or in
    another currency. The rest of the money stays on the account.
    """

    payment_id: PaymentId
    return_id: ReturnId
    amount: Amount
    reason: Reason
    account: Annotated[
        Account | None, Doc("The account that was to pay; null for the payment's own.", "suspense:alpay")
    ] = None
    paid: Annotated[
        Money | None, Doc("What the channel paid back, where that is not the amount; null where it paid nothing.", 9700)
    ] = None
    postings: Annotated[
        tuple[Posting, ...],
        Doc(
            "The entry of what the channel paid back all the same; empty where it paid nothing.",
            [
                {"account": "suspense:alpay", "amount": {"amount": 9700, "currency": "CNY"}},
                {"account": "channel:alpay", "amount": {"amount": -9700, "currency": "CNY"}},
            ],
        ),
    ] = ()


class ReturnedByHand(Event, key="payment_id"):
    """A person paid a failed return back in another way: the entry debits the account and credits `by-hand`.

    `amount` is the whole return; the entry moves what the channel had not paid back of it, if that is nothing, nothing.
    """

    payment_id: PaymentId
    return_id: ReturnId
    amount: Amount
    note: Note
    postings: Postings
    account: Payer | None = None


class FundsHeld(Event, key="order_id"):
    """An order's price was set aside on an account."""

    order_id: OrderId
    account: Account
    amount: Amount


class HoldRefused(Event, key="order_id"):
    """The account has too little for the order; nothing was set aside."""

    order_id: OrderId
    account: Account
    amount: Amount
    available: Annotated[Money, Doc("What the account has left.", 3000)]


class FundsCaptured(Event, key="order_id"):
    """`amount` of the hold was earned (the postings), `released` of it is free again."""

    order_id: OrderId
    account: Account
    amount: Amount
    released: Annotated[Money, Doc("What is free again of the hold.", 0)]
    postings: Annotated[tuple[Posting, ...], BALANCED]


class HoldVoided(Event, key="order_id"):
    """An order's hold was freed; nothing was earned."""

    order_id: OrderId
    account: Account
    amount: Amount
    reason: Reason


class FundsRefunded(Event, key="order_id"):
    """Part of what an order had earned was given back to the account."""

    order_id: OrderId
    refund_id: RefundId
    account: Account
    amount: Amount
    postings: Postings


class SupplierCostPosted(Event, key="order_id"):
    """We owe a supplier for a line it delivered."""

    order_id: OrderId
    line: Line
    supplier: Supplier
    cost: Annotated[Money, Doc("What we owe the supplier for it.", 8200)]
    postings: Postings


class SupplierBillPosted(Event, key="order_id"):
    """A supplier's bill that nobody has accepted yet: we owe it, and claim it back."""

    order_id: OrderId
    bill_id: BillId
    supplier: Supplier
    amount: Amount
    postings: Postings


class SupplierClaimMoved(Event, key="order_id"):
    """What we claimed of a supplier is a cost of ours now, or what was a cost is claimed."""

    order_id: OrderId
    bill_id: BillId
    supplier: Supplier
    amount: Amount
    decision: Annotated[Literal["cost", "claim"], Doc("Whether it became a cost of ours, or a claim.", "cost")]
    postings: Postings


class SupplierClaimCredited(Event, key="order_id"):
    """A claim was won: we owe the supplier that much less, or where it was paid already, it pays us back by hand."""

    order_id: OrderId
    bill_id: BillId
    supplier: Supplier
    amount: Annotated[Money, Doc("What the supplier credits of what we claimed.", 4100)]
    postings: Postings


class EntryPosted(Event, key="entry_id"):
    """Finance posted an entry by hand."""

    entry_id: EntryId
    postings: Postings
    note: Note


class EntryReversed(Event, key="entry_id"):
    """An entry made by hand was undone by its opposite, the postings of which these are."""

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
