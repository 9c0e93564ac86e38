# Generated from the contracts by `python -m clients.generate`. Not to be edited.

"""What `ledger` tells."""

from __future__ import annotations

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
    "PaymentOpened",
    "PaymentOpeningFailed",
    "PaymentReceived",
    "PaymentRequested",
    "PaymentReturned",
    "Posting",
    "ReturnFailed",
    "ReturnRequested",
    "SupplierCostPosted",
]


class CallbackRefused(EventData, event_type="kameng.ledger.CallbackRefused.v1", event_key="payment_id"):
    """A callback that was not believed or not needed; nothing moved."""

    payment_id: str
    channel: str
    callback_id: str
    reason: (
        Literal[
            "bad-signature", "replayed", "wrong-amount", "wrong-channel", "unknown-payment", "wrong-reference", "failed"
        ]
        | str
    )


class Posting(Model):
    """One side of an entry: a positive amount debits the account, a negative one credits it."""

    account: str
    amount: Money


class EntryPosted(EventData, event_type="kameng.ledger.EntryPosted.v1", event_key="entry_id"):
    """Finance posted an entry by hand."""

    entry_id: str
    postings: tuple[Posting, ...]
    note: str


class EntryReversed(EventData, event_type="kameng.ledger.EntryReversed.v1", event_key="entry_id"):
    """An entry made by hand was undone by its opposite, the postings of which these are."""

    entry_id: str
    postings: tuple[Posting, ...]
    note: str


class FundsCaptured(EventData, event_type="kameng.ledger.FundsCaptured.v1", event_key="order_id"):
    """`amount` of the hold was earned (the postings), `released` of it is free again."""

    order_id: str
    account: str
    amount: Money
    released: Money
    postings: tuple[Posting, ...]


class FundsHeld(EventData, event_type="kameng.ledger.FundsHeld.v1", event_key="order_id"):
    """An order's price was set aside on an account."""

    order_id: str
    account: str
    amount: Money


class FundsRefunded(EventData, event_type="kameng.ledger.FundsRefunded.v1", event_key="order_id"):
    """Part of what an order had earned was given back to the account."""

    order_id: str
    refund_id: str
    account: str
    amount: Money
    postings: tuple[Posting, ...]


class HoldRefused(EventData, event_type="kameng.ledger.HoldRefused.v1", event_key="order_id"):
    """The account has too little for the order; nothing was set aside."""

    order_id: str
    account: str
    amount: Money
    available: Money


class HoldVoided(EventData, event_type="kameng.ledger.HoldVoided.v1", event_key="order_id"):
    """An order's hold was freed; nothing was earned."""

    order_id: str
    account: str
    amount: Money
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


class PaymentRequested(EventData, event_type="kameng.ledger.PaymentRequested.v1", event_key="payment_id"):
    """A payment channel is to collect money into an account."""

    payment_id: str
    account: str
    amount: Money
    channel: str
    order_id: str | None


class PaymentReturned(EventData, event_type="kameng.ledger.PaymentReturned.v1", event_key="payment_id"):
    """The channel paid the money back to its source: the entry debits the account and credits the channel."""

    payment_id: str
    return_id: str
    amount: Money
    postings: tuple[Posting, ...]


class ReturnFailed(EventData, event_type="kameng.ledger.ReturnFailed.v1", event_key="payment_id"):
    """The channel would not pay back; the money stays on the account and a person must look."""

    payment_id: str
    return_id: str
    amount: Money
    reason: str


class ReturnRequested(EventData, event_type="kameng.ledger.ReturnRequested.v1", event_key="payment_id"):
    """The channel is to pay money back to where it came from."""

    payment_id: str
    return_id: str
    amount: Money
    channel: str
    channel_ref: str


class SupplierCostPosted(EventData, event_type="kameng.ledger.SupplierCostPosted.v1", event_key="order_id"):
    """We owe a supplier for a line it delivered."""

    order_id: str
    line: int
    supplier: str
    cost: Money
    postings: tuple[Posting, ...]
