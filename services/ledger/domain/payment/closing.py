"""Closes a payment that is no longer needed at its channel, so that its link takes no money.

Closing does not change the payment itself: money that comes all the same counts as before.
"""

from __future__ import annotations

from services.ledger.domain.payment import statements
from services.ledger.domain.payment.state import Payment
from shared.contracts import Decided, Event, Refused
from shared.contracts.ledger import (
    ClosePayment,
    PaymentClosed,
    PaymentClosing,
    PaymentNotClosed,
    RecordCallback,
    RecordClosing,
    StopPayment,
)

FOUND_AT_CLOSING = "asked-to-close"


def request(command: ClosePayment, state: Payment) -> list[Event]:
    """Close the payment of an order, once, if it was not received."""
    if state.order_id is None or state.status == "received" or state.closing:
        return []
    return [asked(command.payment_id, state)]


def stop(command: StopPayment, state: Payment) -> list[Event]:
    """Refuses `unknown-payment`, `already-paid`, `closing-under-way` and `already-closed`."""
    if state.status == "none":
        raise Refused("unknown-payment", f"there is no payment {command.payment_id}", status=404)
    if state.status == "received":
        raise Refused("already-paid", "this payment was already received")
    if state.closing == "asked":
        raise Refused("closing-under-way", "the channel is being asked to close this payment")
    if state.closing == "closed":
        raise Refused("already-closed", "the channel has closed this payment already")
    return [asked(command.payment_id, state)]


def record(command: RecordClosing, state: Payment, owner: str | None) -> Decided:
    """Record the channel's answer. If it says that the payment was paid, this counts as any other statement: `owner` is
    passed to `statements.record`."""
    events = list(_ended(command, state)) if state.closing == "asked" else []
    if command.paid is None:
        return Decided(events)
    callback = RecordCallback(
        payment_id=command.payment_id,
        channel=command.channel,
        callback_id=FOUND_AT_CLOSING,
        channel_ref=command.channel_ref,
        amount=command.paid,
        status="paid",
        authentic=True,
    )
    return Decided([*events, *statements.record(callback, state, owner).events])


def _ended(command: RecordClosing, state: Payment) -> list[Event]:
    payment_id = command.payment_id
    if command.closed and _is_of_another(command, state):
        reason = f"the channel answered about another payment, {command.channel_ref}"[:500]
        return [PaymentNotClosed(payment_id=payment_id, order_id=state.order_id, paid=None, reason=reason)]
    if command.closed:
        return [PaymentClosed(payment_id=payment_id, order_id=state.order_id)]
    if command.paid is None and state.status == "received":
        return []
    not_closed = PaymentNotClosed(
        payment_id=payment_id, order_id=state.order_id, paid=command.paid, reason=command.reason
    )
    return [not_closed]


def _is_of_another(command: RecordClosing, state: Payment) -> bool:
    return "" not in (command.channel_ref, state.channel_ref) and command.channel_ref != state.channel_ref


def asked(payment_id: str, state: Payment) -> PaymentClosing:
    """The event that makes the scheduler ask the channel."""
    return PaymentClosing(payment_id=payment_id, channel=state.channel, order_id=state.order_id)
