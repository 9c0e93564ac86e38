"""Calls to payment channels, and the commands that carry their results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ledger.adapters import Outside
from services.ledger.adapters.channel import Channel, ChannelRefused
from shared.contracts import Money
from shared.contracts.ledger import RecordCallback, RecordPaymentOpening, RecordReturn
from shared.hosting.service import Effect, EffectFailed

Payload = Mapping[str, Any]

# After 5, 10, 20 ... seconds and then every ten minutes: for about two hours.
ASKED_TIMES = 18


class NotYetPaid(EffectFailed):
    """The buyer has not paid so far: ask again later."""


def open_payment(payload: Payload, attempt: int, outside: Outside) -> RecordPaymentOpening:
    """Opening needs no look-up before a repeat: the channel knows a payment by our id."""
    channel = outside.channels.get(payload["channel"])
    if channel is None:
        return not_opened(payload, f"no payment channel is called {payload['channel']}")
    try:
        opened = channel.open(payload["payment_id"], _amount(payload))
    except ChannelRefused as refused:
        return not_opened(payload, f"the channel refused: {refused}")
    return RecordPaymentOpening(
        payment_id=payload["payment_id"], opened=True, channel_ref=opened.channel_ref, pay_url=opened.pay_url
    )


def not_opened(payload: Payload, reason: str) -> RecordPaymentOpening:
    return RecordPaymentOpening(payment_id=payload["payment_id"], opened=False, reason=reason[:500])


def ask_payment(payload: Payload, attempt: int, outside: Outside) -> RecordCallback:
    """Find a callback that was lost. Authentic, since the answer comes over our own signed request."""
    known = _channel(payload, outside).status(payload["payment_id"])
    if known.status == "pending":
        if attempt < ASKED_TIMES:
            raise NotYetPaid(payload["payment_id"])
        return never_paid(payload, "asking is over")
    return RecordCallback(
        payment_id=payload["payment_id"],
        channel=payload["channel"],
        callback_id=f"asked-{attempt}",
        channel_ref=known.channel_ref,
        amount=known.money,
        status=known.status,
        authentic=True,
    )


def never_paid(payload: Payload, reason: str) -> RecordCallback:
    """Asking is over; a callback that comes later still counts."""
    return RecordCallback(
        payment_id=payload["payment_id"],
        channel=payload["channel"],
        callback_id="asked-in-vain",
        channel_ref="",
        amount=_amount(payload),
        status="failed",
        authentic=True,
        reason=reason[:500],
    )


def return_payment(payload: Payload, attempt: int, outside: Outside) -> RecordReturn:
    payment_id, return_id, amount = payload["payment_id"], payload["return_id"], _amount(payload)
    channel = _channel(payload, outside)
    try:
        if attempt == 1 or not _was_refunded(channel, payment_id, return_id, amount):
            channel.refund(payment_id, return_id, amount)
    except ChannelRefused as refused:
        return RecordReturn(
            payment_id=payment_id, return_id=return_id, returned=False, reason=f"the channel refused: {refused}"[:500]
        )
    return RecordReturn(payment_id=payment_id, return_id=return_id, returned=True)


def return_unknown(payload: Payload, reason: str) -> RecordReturn:
    warning = f"its outcome is unknown, look at the channel before paying again: {reason}"
    return RecordReturn(
        payment_id=payload["payment_id"], return_id=payload["return_id"], returned=False, reason=warning[:500]
    )


def _was_refunded(channel: Channel, payment_id: str, return_id: str, amount: Money) -> bool:
    return any(known.return_id == return_id and known.money == amount for known in channel.refunds(payment_id))


def _channel(payload: Payload, outside: Outside) -> Channel:
    """Raises KeyError while the channel is missing from the settings: the call is tried again."""
    return outside.channels[payload["channel"]]


def _amount(payload: Payload) -> Money:
    return Money.model_validate(payload["amount"])


EFFECTS: Mapping[str, Effect] = {
    "open_payment": Effect(run=open_payment, gave_up=not_opened),
    "ask_payment": Effect(
        run=ask_payment, gave_up=never_paid, attempts=ASKED_TIMES, first_delay_seconds=5, longest_delay_seconds=600
    ),
    "return_payment": Effect(
        run=return_payment, gave_up=return_unknown, attempts=20, first_delay_seconds=1, longest_delay_seconds=600
    ),
}
