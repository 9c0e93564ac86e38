"""A payment through a channel. It is opened and received once; if its order no longer needs it, it is closed or paid
back."""

from __future__ import annotations

from services.ledger.domain.payment import closing, opening, returns, statements, unmatched
from services.ledger.domain.payment.opening import Channels
from services.ledger.domain.payment.state import Payment, evolve_payment
from shared.contracts import Command, Decided, DecisionContext, Event
from shared.contracts.ledger import (
    ClosePayment,
    GiveBackPayment,
    MatchPayment,
    RecordCallback,
    RecordClosing,
    RecordPaymentOpening,
    RecordReturn,
    RecordReturnByHand,
    RequestPayment,
    RetryRefund,
    RetryReturn,
    ReturnPayment,
    SettlePayment,
    StopPayment,
)

__all__ = ["Channels", "Payment", "decide_payment", "evolve_payment"]


def decide_payment(command: Command, state: Payment, given: DecisionContext) -> list[Event] | Decided:
    """Facts: for RequestPayment the Channels; for RecordCallback and RecordClosing the id of the payment that already
    has this channel reference, or None; for ReturnPayment, RetryReturn, RetryRefund and RecordReturnByHand the Money
    that is available on the paying account."""
    match command:
        case RequestPayment():
            return opening.request(command, state, given)
        case RecordPaymentOpening():
            return opening.record(command, state)
        case RecordCallback():
            return statements.record(command, state, given.facts)
        case ClosePayment():
            return closing.request(command, state)
        case StopPayment():
            return closing.stop(command, state)
        case RecordClosing():
            return closing.record(command, state, given.facts)
        case ReturnPayment():
            return returns.request(command, state, given.facts)
        case RetryReturn() | RetryRefund():
            return returns.retry(command, state, given.facts)
        case RecordReturnByHand():
            return returns.by_hand(command, state, given.facts)
        case RecordReturn():
            return returns.record(command, state)
        case MatchPayment():
            return unmatched.match(command, state, given.shop)
        case GiveBackPayment():
            return unmatched.give_back(command, state)
        case SettlePayment():
            return unmatched.settle(command, state)
        case _:
            raise TypeError(f"a payment does not decide {type(command).__name__}")
