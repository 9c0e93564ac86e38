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
# The channel is asked after 5, 10, 20 ... seconds and then every ten minutes, until time is over. That is never this
# often.
MOST_TRIES = 10_000
# The opening of a payment that the channel does not know may still be on its way. After so many tries (half a minute)
# it is not.
ABSENT_AFTER_TRIES = 6
ABSENT = 404


class NotConfigured(EffectFailed):
    """The settings of this process do not name the channel."""


class NotYetPaid(EffectFailed):
    """The channel has no news of the payment: ask again later."""


class NotYetClosed(EffectFailed):
    """The channel still takes money for the payment, or may yet open it: try again later."""


class NotYetReturned(EffectFailed):
    """The channel has accepted the return and not paid it yet: look it up later."""


def open_payment(payload: Payload, attempt: int, adapters: Adapters) -> RecordPaymentOpening:
    """Open a payment. A repeat needs no look-up, because the channel identifies a payment by the platform's id."""
    try:
        channel = _channel(payload, adapters)
    except NotConfigured as missing:
        return not_opened(payload, str(missing))
    try:
        opened = channel.open(payload["payment_id"], _amount(payload))
    except ChannelRefused as refused:
        return not_opened(payload, f"the channel refused: {refused}")
    if not opened.is_payable:
        return not_opened(payload, "the channel's link for paying is neither http nor https")
    return RecordPaymentOpening(
        payment_id=payload["payment_id"], opened=True, channel_ref=opened.channel_ref, pay_url=opened.pay_url
    )


def not_opened(payload: Payload, reason: str) -> RecordPaymentOpening:
    return RecordPaymentOpening(payment_id=payload["payment_id"], opened=False, reason=reason[:500])


def ask_payment(payload: Payload, attempt: int, adapters: Adapters) -> RecordCallback:
    """Ask the channel for a payment, because its callback may be lost. The answer counts as authentic.

    The channel is asked until its answer differs from `known`, or until the payment's time is over. Then it is asked
    once more, to tell an answer that can't be read from no answer."""
    if not is_over(payload, attempt, adapters):
        return _asked(payload, attempt, adapters)
    try:
        return _asked(payload, attempt, adapters)
    except ChannelUnread as error:
        return never_paid(payload, f"asking is over, and the channel {error}", unread=True)
    except (EffectFailed, ChannelRefused):
        return never_paid(payload, "asking is over")


def _asked(payload: Payload, attempt: int, adapters: Adapters) -> RecordCallback:
    found = _channel(payload, adapters).status(payload["payment_id"])
    if found.status == "pending":
        raise NotYetPaid(payload["payment_id"])
    if statement(found.status, payload["channel"], found.channel_ref, found.money) == payload.get("known"):
        raise NotYetPaid(payload["payment_id"])
    return RecordCallback(
        payment_id=payload["payment_id"],
        channel=payload["channel"],
        callback_id=f"asked-{attempt}",
        channel_ref=found.channel_ref,
        amount=found.money,
        status=found.status,
        authentic=True,
    )


def is_over(payload: Payload, attempt: int, adapters: Adapters) -> bool:
    """Whether the payment's time is over. A call of an earlier version has no time, and is over after ASKED_TIMES
    tries."""
    if "until" not in payload:
        return attempt > ASKED_TIMES
    return adapters.clock.now() >= datetime.fromisoformat(payload["until"])


def never_paid(payload: Payload, reason: str, *, unread: bool = False) -> RecordCallback:
    """The result when asking is over. A callback that comes later still counts."""
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
    """Close a payment at its channel. A repeat needs no look-up; after a refusal the payment is looked up."""
    channel, refusal = _channel(payload, adapters), ""
    try:
        found: Status | None = channel.close(payload["payment_id"])
    except ChannelRefused as refused:
        refusal = f"the channel refused: {refused}"
        found = _found(channel, payload["payment_id"])
    if found is None and attempt < ABSENT_AFTER_TRIES:
        raise NotYetClosed("the channel does not know it yet")
    if found is None or found.status == "failed":
        reference = found.channel_ref if found else ""
        return RecordClosing(
            payment_id=payload["payment_id"], channel=payload["channel"], closed=True, channel_ref=reference
        )
    if found.status == "pending":
        raise NotYetClosed(refusal or "the channel says that it can still be paid")
    if found.money.amount == 0:
        return not_closed(payload, "the channel says that the payment was paid with an amount of zero")
    return RecordClosing(
        payment_id=payload["payment_id"],
        channel=payload["channel"],
        closed=False,
        channel_ref=found.channel_ref,
        paid=found.money,
        reason="it was paid before",
    )


def _found(channel: Channel, payment_id: str) -> Status | None:
    """The channel's state of a payment, None for a payment that it does not know."""
    try:
        return channel.status(payment_id)
    except ChannelRefused as refused:
        if refused.status != ABSENT:
            raise NotYetClosed(f"the channel refuses to say whether it was paid: {refused}") from refused
        return None


def not_closed(payload: Payload, reason: str) -> RecordClosing:
    return RecordClosing(
        payment_id=payload["payment_id"], channel=payload["channel"], closed=False, reason=reason[:500]
    )


def return_payment(payload: Payload, attempt: int, adapters: Adapters) -> RecordReturn:
    """Have the channel pay back. It is done when the channel confirms this return with this amount. If its answer
    differs, its list of returns counts, because a single answer may be wrong."""
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
        reason = f"the channel says that it paid back {known.money} instead of {amount}"
        return _not_returned(payload, reason, found, known.money)
    return RecordReturn(payment_id=payment_id, return_id=return_id, returned=True, others=_others(return_id, found))


def _of_return(return_id: str, found: tuple[Refund, ...]) -> Refund | None:
    """The channel's entry of this return; of several entries one that is done."""
    ours = [refund for refund in found if refund.return_id == return_id]
    return min(ours, key=lambda refund: refund.status != "done", default=None)


def _others(return_id: str, found: tuple[Refund, ...]) -> tuple[ListedReturn, ...]:
    """The other returns of the payment that the channel lists as done."""
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
    """The channel of a call. Raises NotConfigured while the settings lack it: the call is then tried again."""
    name = payload["channel"]
    try:
        return adapters.channels[name]
    except KeyError:
        raise NotConfigured(f"no payment channel is called {name}: KAMENG_CHANNELS does not name it") from None


def _amount(payload: Payload) -> Money:
    return Money.model_validate(payload["amount"])


def outcome(result: Command) -> Outcome:
    """The outcome of a call, for its metrics."""
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
