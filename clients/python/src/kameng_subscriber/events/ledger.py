# Generated from the contracts by `python -m clients.generate`. Not to be edited.

"""What `ledger` tells."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from kameng_subscriber.events.common import Money
from kameng_subscriber.models import EventData, Model

__all__ = [
    "CallbackRefused",
    "EntryPosted",
    "EntryReversed",
    "FundsCaptured",
    "FundsHeld",
    "FundsRefunded",
    "HoldRefused",
    "HoldVoided",
    "PaymentClosed",
    "PaymentClosing",
    "PaymentNotClosed",
    "PaymentOpened",
    "PaymentOpeningFailed",
    "PaymentReceived",
    "PaymentRequested",
    "PaymentReturned",
    "PaymentUnmatched",
    "PositionLost",
    "Posting",
    "ReturnFailed",
    "ReturnRequested",
    "ReturnedByHand",
    "SupplierBillPosted",
    "SupplierClaimCredited",
    "SupplierClaimMoved",
    "SupplierCostPosted",
    "UnmatchedSettled",
]


class CallbackRefused(EventData, event_type="kameng.ledger.CallbackRefused.v1", event_key="payment_id"):
    """A callback was recorded, and nothing was booked: it is not authentic, does not match the payment, or reports
    no new payment."""

    payment_id: str
    channel: str
    callback_id: str
    reason: (
        Literal[
            "bad-signature", "replayed", "wrong-amount", "wrong-channel", "unknown-payment", "wrong-reference", "failed"
        ]
        | str
    )
    channel_ref: str = ""
    amount: Money | None = None
    reference_of: str | None = None
    ask_until: datetime | None = None


class Posting(Model):
    """One side of an entry: a positive amount debits the account, a negative one credits it."""

    account: str
    amount: Money


class EntryPosted(EventData, event_type="kameng.ledger.EntryPosted.v1", event_key="entry_id"):
    """Finance posted a manual entry."""

    entry_id: str
    postings: tuple[Posting, ...]
    note: str


class EntryReversed(EventData, event_type="kameng.ledger.EntryReversed.v1", event_key="entry_id"):
    """A manual entry was undone by its opposite. The postings are those of the opposite."""

    entry_id: str
    postings: tuple[Posting, ...]
    note: str


class FundsCaptured(EventData, event_type="kameng.ledger.FundsCaptured.v1", event_key="order_id"):
    """`amount` of the hold was captured as earned, which the postings book; `released` of it is free again."""

    order_id: str
    account: str
    amount: Money
    released: Money
    postings: tuple[Posting, ...]


class FundsHeld(EventData, event_type="kameng.ledger.FundsHeld.v1", event_key="order_id"):
    """An order's price was held on an account."""

    order_id: str
    account: str
    amount: Money


class FundsRefunded(EventData, event_type="kameng.ledger.FundsRefunded.v1", event_key="order_id"):
    """Part of an order's captured amount was given back to the account."""

    order_id: str
    refund_id: str
    account: str
    amount: Money
    postings: tuple[Posting, ...]


class HoldRefused(EventData, event_type="kameng.ledger.HoldRefused.v1", event_key="order_id"):
    """The account has too little for the order; nothing was held."""

    order_id: str
    account: str
    amount: Money
    available: Money


class HoldVoided(EventData, event_type="kameng.ledger.HoldVoided.v1", event_key="order_id"):
    """An order's hold was released; nothing was captured."""

    order_id: str
    account: str
    amount: Money
    reason: str


class PaymentClosed(EventData, event_type="kameng.ledger.PaymentClosed.v1", event_key="payment_id"):
    """The channel says that it takes no more money for the payment. If it still reports money, that counts."""

    payment_id: str
    order_id: str | None


class PaymentClosing(EventData, event_type="kameng.ledger.PaymentClosing.v1", event_key="payment_id"):
    """The payment is no longer needed: the channel is to close it and take no money for it."""

    payment_id: str
    channel: str
    order_id: str | None


class PaymentNotClosed(EventData, event_type="kameng.ledger.PaymentNotClosed.v1", event_key="payment_id"):
    """The channel did not close the payment. Unless it was `paid` instead, it can still be paid, and a person must look
    at it."""

    payment_id: str
    order_id: str | None
    paid: Money | None
    reason: str


class PaymentOpened(EventData, event_type="kameng.ledger.PaymentOpened.v1", event_key="payment_id"):
    """The channel is ready to collect; the buyer pays at `pay_url`."""

    payment_id: str
    channel_ref: str
    pay_url: str


class PaymentOpeningFailed(EventData, event_type="kameng.ledger.PaymentOpeningFailed.v1", event_key="payment_id"):
    """The channel did not open the payment; nobody can pay it."""

    payment_id: str
    reason: str


class PaymentReceived(EventData, event_type="kameng.ledger.PaymentReceived.v1", event_key="payment_id"):
    """The channel collected the money: the entry debits the channel and credits the account."""

    payment_id: str
    account: str
    amount: Money
    channel: str
    channel_ref: str
    callback_id: str
    order_id: str | None
    postings: tuple[Posting, ...]
    came: Money | None = None


class PaymentRequested(EventData, event_type="kameng.ledger.PaymentRequested.v1", event_key="payment_id"):
    """A payment channel is to collect money into an account."""

    payment_id: str
    account: str
    amount: Money
    channel: str
    order_id: str | None
    ask_until: datetime | None = None


class PaymentReturned(EventData, event_type="kameng.ledger.PaymentReturned.v1", event_key="payment_id"):
    """The channel paid the money back to its source: the entry debits the account and credits the channel."""

    payment_id: str
    return_id: str
    amount: Money
    postings: tuple[Posting, ...]
    account: str | None = None


class PaymentUnmatched(EventData, event_type="kameng.ledger.PaymentUnmatched.v1", event_key="payment_id"):
    """The channel reported money that is not what a payment asked for. A person must match it or give it back.

    The entry debits the channel and credits the suspense account. There is no entry when the channel contradicts what
    is already booked, or when its answer can't be read."""

    payment_id: str
    item: str
    channel: str
    channel_ref: str
    callback_id: str
    amount: Money
    expected: Money | None
    reason: str
    order_id: str | None
    ask_until: datetime | None = None
    postings: tuple[Posting, ...]


class ReturnFailed(EventData, event_type="kameng.ledger.ReturnFailed.v1", event_key="payment_id"):
    """The channel did not pay the money back, or `paid` back another amount. A person must look at it.

    What the channel paid is booked: the entry debits the account, and debits `difference` with what is too much or in
    another currency. The rest of the money stays on the account."""

    payment_id: str
    return_id: str
    amount: Money
    reason: str
    account: str | None = None
    paid: Money | None = None
    postings: tuple[Posting, ...] = ()


class ReturnRequested(EventData, event_type="kameng.ledger.ReturnRequested.v1", event_key="payment_id"):
    """The channel is to pay money back to its source."""

    payment_id: str
    return_id: str
    amount: Money
    channel: str
    channel_ref: str
    account: str | None = None
    difference: Money | None = None
    again: bool = False


class ReturnedByHand(EventData, event_type="kameng.ledger.ReturnedByHand.v1", event_key="payment_id"):
    """A person paid a failed return back in another way: the entry debits the account and credits `by-hand`.

    `amount` is the whole return. The entry moves the part that the channel had not paid back, which may be zero."""

    payment_id: str
    return_id: str
    amount: Money
    note: str
    postings: tuple[Posting, ...]
    account: str | None = None


class SupplierBillPosted(EventData, event_type="kameng.ledger.SupplierBillPosted.v1", event_key="order_id"):
    """A supplier's bill that nobody has accepted yet was booked: the shop owes it, and claims it back."""

    order_id: str
    bill_id: str
    supplier: str
    amount: Money
    postings: tuple[Posting, ...]


class SupplierClaimCredited(EventData, event_type="kameng.ledger.SupplierClaimCredited.v1", event_key="order_id"):
    """A claim was won: the shop owes the supplier that much less. If the supplier was already paid, it pays the amount
    back by hand."""

    order_id: str
    bill_id: str
    supplier: str
    amount: Money
    postings: tuple[Posting, ...]


class SupplierClaimMoved(EventData, event_type="kameng.ledger.SupplierClaimMoved.v1", event_key="order_id"):
    """A claim against a supplier became a cost of the shop, or a cost became a claim."""

    order_id: str
    bill_id: str
    supplier: str
    amount: Money
    decision: Literal["cost", "claim"] | str
    postings: tuple[Posting, ...]


class SupplierCostPosted(EventData, event_type="kameng.ledger.SupplierCostPosted.v1", event_key="order_id"):
    """The shop owes a supplier for a line that it delivered."""

    order_id: str
    line: int
    supplier: str
    cost: Money
    postings: tuple[Posting, ...]


class UnmatchedSettled(EventData, event_type="kameng.ledger.UnmatchedSettled.v1", event_key="payment_id"):
    """Money that matched no payment was settled: `matched` to a payment or a wallet, `returned`, settled `by-hand`, or
    `corrected`, because the channel named another amount instead."""

    payment_id: str
    item: str
    how: str
    amount: Money
    note: str
    order_id: str | None
    postings: tuple[Posting, ...]


class PositionLost(EventData, event_type="kameng.ledger.PositionLost.v1", event_key="log"):
    """The event at this position was lost with a database and can't be recovered. It changes no state.

    It takes up the position, so that no other event gets it. The log of the service `log` was restored from a backup up
    to position `kept`, whose event was recorded at `since`. Readers or subscribers knew events up to position `upto`.
    """

    log: str
    kept: int
    upto: int
    since: datetime
