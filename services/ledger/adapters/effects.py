"""Calls to payment channels, and the commands that carry their results."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from services.ledger.adapters import Adapters
from services.ledger.adapters.channel import Channel, ChannelRefused, ChannelUnread, Refund, Status
from services.ledger.domain.payment.state import statement
from shared.contracts import Command, Money
from shared.contracts.ledger import ListedReturn, RecordCallback, RecordClosing, RecordPaymentOpening, RecordReturn
from shared.runtime.service import Effect, EffectFailed, Outcome

Payload = Mapping[str, Any]

ASKED_TIMES = 18
# Asking ends by the clock, after 5, 10, 20 ... seconds and then every ten minutes; this many tries are never reached.
MOST_TRIES = 10_000
# A payment that the channel does not know may still be on its way to it; after so many tries, half a minute, it is not.
ABSENT_AFTER_TRIES = 6
ABSENT = 404


class NotConfigured(EffectFailed):
    """The settings of this process do not name the channel."""


class NotYetPaid(EffectFailed):
    """The channel has nothing new to say: ask again later."""


class NotYetClosed(EffectFailed):
    """The channel still takes money for the payment, or may yet open it: ask again later."""


class NotYetReturned(EffectFailed):
    """The channel has taken the return on, and has not paid it yet: look again later."""


def open_payment(payload: Payload, attempt: int, adapters: Adapters) -> RecordPaymentOpening:
    """Opening needs no look-up before a repeat: the channel knows a payment by our id."""
    try:
        channel = _channel(payload, adapters)
    except NotConfigured as missing:
        return not_opened(payload, str(missing))
    try:
        opened = channel.open(payload["payment_id"], _amount(payload))
    except ChannelRefused as refused:
        return not_opened(payload, f"the channel refused: {refused}")
    if not opened.is_payable:
        return not_opened(payload, "the channel gave a link to pay at that is neither http nor https")
    return RecordPaymentOpening(
        payment_id=payload["payment_id"], opened=True, channel_ref=opened.channel_ref, pay_url=opened.pay_url
    )


def not_opened(payload: Payload, reason: str) -> RecordPaymentOpening:
    return RecordPaymentOpening(payment_id=payload["payment_id"], opened=False, reason=reason[:500])


def ask_payment(payload: Payload, attempt: int, adapters: Adapters) -> RecordCallback:
    """Find a callback that was lost. Authentic, since the answer comes over our own signed request.

    Asking goes on until there is news: something else than `known`, or until the payment's time is over. Then it is
    asked once more, so that an answer that can't be read does not pass for none.
    """
    if not is_over(payload, attempt, adapters):
        return _asked(payload, attempt, adapters)
    try:
        return _asked(payload, attempt, adapters)
    except ChannelUnread as error:
        return never_paid(payload, f"asking is over, and the channel {error}", unread=True)
    except (EffectFailed, ChannelRefused):
        return never_paid(payload, "asking is over")


def _asked(payload: Payload, attempt: int, adapters: Adapters) -> RecordCallback:
    known = _channel(payload, adapters).status(payload["payment_id"])
    if known.status == "pending":
        raise NotYetPaid(payload["payment_id"])
    if statement(known.status, payload["channel"], known.channel_ref, known.money) == payload.get("known"):
        raise NotYetPaid(payload["payment_id"])
    return RecordCallback(
        payment_id=payload["payment_id"],
        channel=payload["channel"],
        callback_id=f"asked-{attempt}",
        channel_ref=known.channel_ref,
        amount=known.money,
        status=known.status,
        authentic=True,
    )


def is_over(payload: Payload, attempt: int, adapters: Adapters) -> bool:
    """Whether the payment's time is over. What was planned before payments had one is over by the number of tries."""
    if "until" not in payload:
        return attempt > ASKED_TIMES
    return adapters.clock.now() >= datetime.fromisoformat(payload["until"])


def never_paid(payload: Payload, reason: str, *, unread: bool = False) -> RecordCallback:
    """Asking is over; a callback that comes later still counts."""
    return RecordCallback(
        payment_id=payload["payment_id"],
        channel=payload["channel"],
        callback_id="asked-in-vain",
        channel_ref="",
        amount=_amount(payload),
        status="failed",
        authentic=True,
        in_vain=True,
        unread=unread,
        reason=reason[:500],
    )


def close_payment(payload: Payload, attempt: int, adapters: Adapters) -> RecordClosing:
    """Have the channel take no money any more. Closing needs no look-up before a repeat; a refusal is looked into."""
    channel, refusal = _channel(payload, adapters), ""
    try:
        found: Status | None = channel.close(payload["payment_id"])
    except ChannelRefused as refused:
        refusal = f"the channel refused: {refused}"
        found = _found(channel, payload["payment_id"])
    if found is None and attempt < ABSENT_AFTER_TRIES:
        raise NotYetClosed("the channel does not know it yet")
    if found is None or found.status == "failed":
        told = found.channel_ref if found else ""
        return RecordClosing(
            payment_id=payload["payment_id"], channel=payload["channel"], closed=True, channel_ref=told
        )
    if found.status == "pending":
        raise NotYetClosed(refusal or "the channel says that it can still be paid")
    if found.money.amount == 0:
        return not_closed(payload, "the channel says that it was paid, and that nothing was")
    return RecordClosing(
        payment_id=payload["payment_id"],
        channel=payload["channel"],
        closed=False,
        channel_ref=found.channel_ref,
        paid=found.money,
        reason="it was paid before",
    )


def _found(channel: Channel, payment_id: str) -> Status | None:
    """What the channel knows of a payment, None for one that it does not know."""
    try:
        return channel.status(payment_id)
    except ChannelRefused as refused:
        if refused.status != ABSENT:
            raise NotYetClosed(f"the channel will not say what became of it: {refused}") from refused
        return None


def not_closed(payload: Payload, reason: str) -> RecordClosing:
    return RecordClosing(
        payment_id=payload["payment_id"], channel=payload["channel"], closed=False, reason=reason[:500]
    )


def return_payment(payload: Payload, attempt: int, adapters: Adapters) -> RecordReturn:
    """Have the channel pay back. It is done when the channel says so: of this return, and of this amount. That it paid
    something else is believed of what it lists, for an answer may be wrong where the books are right."""
    payment_id, return_id, amount = payload["payment_id"], payload["return_id"], _amount(payload)
    channel, found = _channel(payload, adapters), tuple[Refund, ...]()
    try:
        if attempt > 1 or payload.get("again"):
            found = channel.refunds(payment_id)
        known = _of_return(return_id, found)
        if known is None:
            known = channel.refund(payment_id, return_id, amount, payload.get("channel_ref", ""))
            if known.status == "done" and (known.return_id, known.money) != (return_id, amount):
                found = channel.refunds(payment_id)
                known = _of_return(return_id, found)
    except ChannelRefused as refused:
        return _not_returned(payload, f"the channel refused: {refused}", found)
    if known is None or known.status == "pending":
        raise NotYetReturned(return_id)
    if known.status == "failed":
        return _not_returned(payload, "the channel says that it failed", found)
    if known.money != amount:
        said = f"the channel says that it paid back {known.money}, and was asked for {amount}"
        return _not_returned(payload, said, found, known.money)
    return RecordReturn(payment_id=payment_id, return_id=return_id, returned=True, others=_others(return_id, found))


def _of_return(return_id: str, found: tuple[Refund, ...]) -> Refund | None:
    """What the channel lists of this return; of several entries one that is done."""
    ours = [refund for refund in found if refund.return_id == return_id]
    return min(ours, key=lambda refund: refund.status != "done", default=None)


def _others(return_id: str, found: tuple[Refund, ...]) -> tuple[ListedReturn, ...]:
    """What else the channel says it paid back of the payment."""
    known = _of_return(return_id, found)
    done = (refund for refund in found if refund is not known and refund.status == "done")
    return tuple(ListedReturn(return_id=refund.return_id, amount=refund.money) for refund in done)


def return_unknown(payload: Payload, reason: str) -> RecordReturn:
    return _not_returned(payload, f"its outcome is unknown, look at the channel before paying by hand: {reason}")


def _not_returned(
    payload: Payload, reason: str, found: tuple[Refund, ...] = (), paid: Money | None = None
) -> RecordReturn:
    return RecordReturn(
        payment_id=payload["payment_id"],
        return_id=payload["return_id"],
        returned=False,
        paid=paid,
        reason=reason[:500],
        others=_others(payload["return_id"], found),
    )


def _channel(payload: Payload, adapters: Adapters) -> Channel:
    """Raises NotConfigured while the channel is missing from the settings: the call is tried again."""
    name = payload["channel"]
    try:
        return adapters.channels[name]
    except KeyError:
        raise NotConfigured(f"no payment channel is called {name}: KAMENG_CHANNELS does not name it") from None


def _amount(payload: Payload) -> Money:
    return Money.model_validate(payload["amount"])


def outcome(result: Command) -> Outcome:
    """What the channel said."""
    match result:
        case RecordPaymentOpening(opened=False) | RecordReturn(returned=False):
            return "failed"
        case _:
            return "done"


_call = partial(Effect, partner="channel", outcome=outcome)
EFFECTS: Mapping[str, Effect] = {
    "open_payment": _call(run=open_payment, gave_up=not_opened),
    "ask_payment": _call(
        run=ask_payment, gave_up=never_paid, attempts=MOST_TRIES, first_delay_seconds=5, longest_delay_seconds=600
    ),
    "close_payment": _call(
        run=close_payment, gave_up=not_closed, attempts=20, first_delay_seconds=1, longest_delay_seconds=600
    ),
    "return_payment": _call(
        run=return_payment, gave_up=return_unknown, attempts=20, first_delay_seconds=1, longest_delay_seconds=600
    ),
}
