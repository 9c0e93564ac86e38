"""Double entry: payments, holds, captures, refunds and the entries behind them.

Accounts are named `<type>:<name>`: `wallet:<customer>` and `order:<order id>` (money paid straight for one order) are
what we owe buyers; `channel:<name>` is what a payment channel owes us; `revenue:<site>`, `refunds:<site>`,
`cost:<site>`, `commission-cost:<site>`; `supplier:<name>` and `commission:<agent>` are what we owe them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import Command, Event, Id, Money, Text, Value


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
    """A payment channel told us something. `authentic` is whether its signature held and its time was fresh."""

    payment_id: Id
    channel: Id
    callback_id: Id
    channel_ref: Text
    amount: Money
    status: Literal["paid", "failed"]
    authentic: bool
    reason: Text = ""


class RecordReturn(Command, key="payment_id"):
    """What the channel said to a request to pay `amount` back."""

    payment_id: Id
    return_id: Id
    returned: bool
    reason: Text = ""


class ReturnPayment(Command, key="payment_id"):
    """Pay money of an order's own account back to where it came from."""

    payment_id: Id
    return_id: Id
    amount: Money


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


class PaymentOpened(Event, key="payment_id"):
    """The channel is ready to collect; the buyer pays at `pay_url`."""

    payment_id: Id
    channel_ref: Text
    pay_url: Text


class PaymentOpeningFailed(Event, key="payment_id"):
    """The channel did not open the payment; nobody can pay it."""

    payment_id: Id
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


class CallbackRefused(Event, key="payment_id"):
    """A callback that was not believed or not needed; nothing moved."""

    payment_id: Id
    channel: Id
    callback_id: Id
    reason: Literal[
        "bad-signature", "replayed", "wrong-amount", "wrong-channel", "unknown-payment", "wrong-reference", "failed"
    ]


class ReturnRequested(Event, key="payment_id"):
    """The channel is to pay money back to where it came from."""

    payment_id: Id
    return_id: Id
    amount: Money
    channel: Id
    channel_ref: Text


class PaymentReturned(Event, key="payment_id"):
    """The channel paid the money back to its source: the entry debits the account and credits the channel."""

    payment_id: Id
    return_id: Id
    amount: Money
    postings: Postings


class ReturnFailed(Event, key="payment_id"):
    """The channel would not pay back; the money stays on the account and a person must look."""

    payment_id: Id
    return_id: Id
    amount: Money
    reason: Text


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
