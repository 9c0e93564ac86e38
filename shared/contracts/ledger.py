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

from shared.contracts.base import At, Command, Event, Id, Money, Text, Value


class Posting(Value):
    """One side of an entry: a positive amount debits the account, a negative one credits it."""

    account: Id
    amount: Money


Postings = Annotated[tuple[Posting, ...], Field(min_length=2)]


class RequestPayment(Command, key="payment_id"):
    """Ask a payment channel to collect money into an account: a deposit, or an order's whole price."""

    payment_id: Id
    account: Id
    amount: Money
    channel: Id
    order_id: Id | None = None


class RecordPaymentOpening(Command, key="payment_id"):
    payment_id: Id
    opened: bool
    channel_ref: Text = ""
    pay_url: Text = ""
    reason: Text = ""


class RecordCallback(Command, key="payment_id"):
    """A payment channel told us something. `authentic` is whether its signature held and its time was fresh.

    `in_vain`: it told nothing that we waited for, and is asked no more. `unread`: what it answered last can't be read.
    """

    payment_id: Id
    channel: Id
    callback_id: Id
    channel_ref: Text
    amount: Money
    status: Literal["paid", "failed"]
    authentic: bool
    in_vain: bool = False
    unread: bool = False
    reason: Text = ""


class ClosePayment(Command, key="payment_id"):
    """An order ended unpaid: the channel is to close its payment. Nothing happens where there is none to close."""

    payment_id: Id


class StopPayment(Command, key="payment_id"):
    """A person wants a payment closed at its channel, for the first time or once more."""

    payment_id: Id


class RecordClosing(Command, key="payment_id"):
    """What a channel said when it was asked to close a payment. `paid` is what it says that it collected instead."""

    payment_id: Id
    channel: Id
    closed: bool
    channel_ref: Text = ""
    paid: Money | None = None
    reason: Text = ""


class ListedReturn(Value):
    """One more return that a channel says it paid."""

    return_id: Text
    amount: Money


class RecordReturn(Command, key="payment_id"):
    """What the channel said to a request to pay `amount` back. `paid` is what it paid back where that is not `amount`:
    then it is not returned. `others` are the other returns of this payment that it lists."""

    payment_id: Id
    return_id: Id
    returned: bool
    paid: Money | None = None
    reason: Text = ""
    others: tuple[ListedReturn, ...] = ()


class ReturnPayment(Command, key="payment_id"):
    """Pay money of an order's own account back to where it came from."""

    payment_id: Id
    return_id: Id
    amount: Money


class RetryReturn(Command, key="payment_id"):
    """Ask the channel once more for a return that failed. It is looked up first, so that it is never paid twice."""

    payment_id: Id
    return_id: Id


class RetryRefund(Command, key="payment_id"):
    """The order wants a refund tried again: like RetryReturn, and never refused."""

    payment_id: Id
    return_id: Id


class RecordReturnByHand(Command, key="payment_id"):
    """A person paid a failed return back in another way, or found that it was paid."""

    payment_id: Id
    return_id: Id
    note: Text


class MatchPayment(Command, key="payment_id"):
    """Take money that fitted no payment for what it is: its payment, or a deposit into a customer's wallet.

    An order is paid whole: what is missing is ours to give, what is too much goes back.
    """

    payment_id: Id
    item: Id
    wallet: Annotated[Id, Field(max_length=60)] | None = None
    note: Text


class GiveBackPayment(Command, key="payment_id"):
    """Pay exactly what came, and fitted no payment, back to where it came from."""

    payment_id: Id
    item: Id
    note: Text


class SettlePayment(Command, key="payment_id"):
    """A person saw to money that fitted no payment in another way: the note says how."""

    payment_id: Id
    item: Id
    note: Text


class HoldFunds(Command, key="order_id"):
    """Set an order's price aside on an account. It is refused, in an event, when the account has too little."""

    order_id: Id
    account: Id
    amount: Money


class CaptureHold(Command, key="order_id"):
    """Take `amount` of the hold as earned and free the rest. `agent` earns its commission on it."""

    order_id: Id
    amount: Money
    agent: Id | None = None


class VoidHold(Command, key="order_id"):
    """Free the order's hold; nothing happens when there is none."""

    order_id: Id
    reason: Text


class RefundCapture(Command, key="order_id"):
    """Give back part of what was captured, never more than is left of it."""

    order_id: Id
    refund_id: Id
    amount: Money


class PostSupplierCost(Command, key="order_id"):
    """A supplier delivered a line: we owe it `cost`."""

    order_id: Id
    line: int
    supplier: Id
    cost: Money


class PostSupplierBill(Command, key="order_id"):
    """A supplier bills us for what did not reach a buyer as planned: owed, and held against the supplier.

    The same `bill_id` is posted once.
    """

    order_id: Id
    bill_id: Id
    supplier: Id
    amount: Money


class MoveSupplierClaim(Command, key="order_id"):
    """Make what is claimed of a supplier a `cost` of ours, or what was a cost a `claim`. Once for each decision."""

    order_id: Id
    bill_id: Id
    supplier: Id
    amount: Money
    decision: Literal["cost", "claim"]


class CreditSupplierClaim(Command, key="order_id"):
    """A supplier credits what we claimed of it: we owe it that much less. Once for each bill."""

    order_id: Id
    bill_id: Id
    supplier: Id
    amount: Money


class PostEntry(Command, key="entry_id"):
    """A manual entry by finance. Postings must balance in every currency and respect every account's rule."""

    entry_id: Id
    postings: Postings
    note: Text


class ReverseEntry(Command, key="entry_id"):
    """Post the opposite of a manual entry, once."""

    entry_id: Id
    note: Text


class PaymentRequested(Event, key="payment_id"):
    """A payment channel is to collect money into an account."""

    payment_id: Id
    account: Id
    amount: Money
    channel: Id
    order_id: Id | None
    ask_until: At | None = None


class PaymentOpened(Event, key="payment_id"):
    """The channel is ready to collect; the buyer pays at `pay_url`."""

    payment_id: Id
    channel_ref: Text
    pay_url: Text


class PaymentOpeningFailed(Event, key="payment_id"):
    """The channel did not open the payment; nobody can pay it."""

    payment_id: Id
    reason: Text


class PaymentClosing(Event, key="payment_id"):
    """Nobody needs the payment any more: the channel is to take no money for it."""

    payment_id: Id
    channel: Id
    order_id: Id | None


class PaymentClosed(Event, key="payment_id"):
    """The channel says that it takes no money for the payment any more. What it tells all the same still counts."""

    payment_id: Id
    order_id: Id | None


class PaymentNotClosed(Event, key="payment_id"):
    """The channel did not close the payment. Unless it was `paid` instead, a person must look: it may still be paid."""

    payment_id: Id
    order_id: Id | None
    paid: Money | None
    reason: Text


class PaymentReceived(Event, key="payment_id"):
    """The channel collected the money: the entry debits the channel and credits the account."""

    payment_id: Id
    account: Id
    amount: Money
    channel: Id
    channel_ref: Text
    callback_id: Id
    order_id: Id | None
    postings: Postings
    came: Money | None = None


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

    payment_id: Id
    item: Id
    channel: Id
    channel_ref: Text
    callback_id: Id
    amount: Money
    expected: Money | None
    reason: Id
    order_id: Id | None
    ask_until: At | None = None
    postings: tuple[Posting, ...]


class UnmatchedSettled(Event, key="payment_id"):
    """Money that fitted no payment has found its place. `how` is `matched`, `returned`, `by-hand` or `corrected`."""

    payment_id: Id
    item: Id
    how: Id
    amount: Money
    note: Text
    order_id: Id | None
    postings: tuple[Posting, ...]


class CallbackRefused(Event, key="payment_id"):
    """A callback that was not believed or not needed; nothing moved."""

    payment_id: Id
    channel: Id
    callback_id: Id
    reason: Literal[
        "bad-signature", "replayed", "wrong-amount", "wrong-channel", "unknown-payment", "wrong-reference", "failed"
    ]
    channel_ref: Text = ""
    amount: Money | None = None
    reference_of: Id | None = None
    ask_until: At | None = None


class ReturnRequested(Event, key="payment_id"):
    """The channel is to pay money back to where it came from."""

    payment_id: Id
    return_id: Id
    amount: Money
    channel: Id
    channel_ref: Text
    account: Id | None = None
    difference: Money | None = None
    again: bool = False


class PaymentReturned(Event, key="payment_id"):
    """The channel paid the money back to its source: the entry debits the account and credits the channel."""

    payment_id: Id
    return_id: Id
    amount: Money
    postings: Postings
    account: Id | None = None


class ReturnFailed(Event, key="payment_id"):
    """The channel would not pay back, or `paid` back something else; a person must look.

    What it paid all the same is booked: the entry debits the account, and `difference` with what is too much or in
    another currency. The rest of the money stays on the account.
    """

    payment_id: Id
    return_id: Id
    amount: Money
    reason: Text
    account: Id | None = None
    paid: Money | None = None
    postings: tuple[Posting, ...] = ()


class ReturnedByHand(Event, key="payment_id"):
    """A person paid a failed return back in another way: the entry debits the account and credits `by-hand`.

    `amount` is the whole return; the entry moves what the channel had not paid back of it, if that is nothing, nothing.
    """

    payment_id: Id
    return_id: Id
    amount: Money
    note: Text
    postings: Postings
    account: Id | None = None


class FundsHeld(Event, key="order_id"):
    """An order's price was set aside on an account."""

    order_id: Id
    account: Id
    amount: Money


class HoldRefused(Event, key="order_id"):
    """The account has too little for the order; nothing was set aside."""

    order_id: Id
    account: Id
    amount: Money
    available: Money


class FundsCaptured(Event, key="order_id"):
    """`amount` of the hold was earned (the postings), `released` of it is free again."""

    order_id: Id
    account: Id
    amount: Money
    released: Money
    postings: tuple[Posting, ...]


class HoldVoided(Event, key="order_id"):
    """An order's hold was freed; nothing was earned."""

    order_id: Id
    account: Id
    amount: Money
    reason: Text


class FundsRefunded(Event, key="order_id"):
    """Part of what an order had earned was given back to the account."""

    order_id: Id
    refund_id: Id
    account: Id
    amount: Money
    postings: Postings


class SupplierCostPosted(Event, key="order_id"):
    """We owe a supplier for a line it delivered."""

    order_id: Id
    line: int
    supplier: Id
    cost: Money
    postings: Postings


class SupplierBillPosted(Event, key="order_id"):
    """A supplier's bill that nobody has accepted yet: we owe it, and claim it back."""

    order_id: Id
    bill_id: Id
    supplier: Id
    amount: Money
    postings: Postings


class SupplierClaimMoved(Event, key="order_id"):
    """What we claimed of a supplier is a cost of ours now, or what was a cost is claimed."""

    order_id: Id
    bill_id: Id
    supplier: Id
    amount: Money
    decision: Literal["cost", "claim"]
    postings: Postings


class SupplierClaimCredited(Event, key="order_id"):
    """A claim was won: we owe the supplier that much less, or where it was paid already, it pays us back by hand."""

    order_id: Id
    bill_id: Id
    supplier: Id
    amount: Money
    postings: Postings


class EntryPosted(Event, key="entry_id"):
    """Finance posted an entry by hand."""

    entry_id: Id
    postings: Postings
    note: Text


class EntryReversed(Event, key="entry_id"):
    """An entry made by hand was undone by its opposite, the postings of which these are."""

    entry_id: Id
    postings: Postings
    note: Text


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
