"""The rules of notification. A message is queued once, then sent or given up. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from shared.contracts import DecisionContext, Event, replace
from shared.contracts.notification import (
    MessageChannel,
    MessageFailed,
    MessageGathered,
    MessageQueued,
    MessageSent,
    MessageWithheld,
    RecordSending,
    SendMessage,
    TellGathered,
)

STAFF = "staff"
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Message:
    """A message. `gathered` is the last alert that came within the pause and is not sent yet. `untold` counts the
    alerts that the last round stands for, until it is sent. If it never is, the next round stands for them as well."""

    status: Literal["new", "queued", "sent", "failed", "withheld"] = "new"
    channel: MessageChannel = "console"
    round: int = 0
    again_from: datetime | None = None
    gathered: MessageGathered | None = None
    untold: int = 0


@dataclass(frozen=True, slots=True)
class Mailed:
    """The times of recent mails to an address about unpaid orders, and the most such mails that it may get in a day."""

    at: Sequence[datetime]
    most: int


@dataclass(frozen=True, slots=True)
class Reach:
    """Facts: whether staff have a webhook, and the recent mails to the address, if they count."""

    staff_webhook: bool
    mailed: Mailed | None = None


def is_unpaid(template: str, params: Mapping[str, str | int]) -> bool:
    """Whether a message is about an unpaid order. Anybody may have placed it with this address. Other mails about
    orders go only to addresses that paid."""
    return template == "order-cancelled" and not params.get("paid")


def decide(command: SendMessage | TellGathered | RecordSending, state: Message, given: DecisionContext) -> list[Event]:
    """Queue a message, or record whether it was sent. Facts: for SendMessage Reach."""
    match command:
        case SendMessage(to=to, channel="webhook") if to == STAFF and not given.facts.staff_webhook:
            return []
        case SendMessage() if not _is_due(state, given.now):
            return _gathered(command, state)
        case SendMessage() if _is_too_much(given.facts.mailed, given.now):
            return [_withheld(command)]
        case SendMessage():
            return [_queued(command, state, given.now)]
        case TellGathered():
            return [] if state.gathered is None else [_queued_gathered(state.gathered, state, given.now)]
        case RecordSending(round=number) if number != state.round or state.status == "sent":
            return []
        case RecordSending(sent=True, attempts=attempts):
            channel = command.channel or state.channel
            return [MessageSent(message_id=command.message_id, channel=channel, attempts=attempts)]
        case RecordSending(attempts=attempts, reason=reason):
            if state.status == "failed":
                return []
            return [
                MessageFailed(message_id=command.message_id, channel=state.channel, attempts=attempts, reason=reason)
            ]


def evolve(state: Message, event: Event) -> Message:
    match event:
        case MessageQueued(channel=channel, round=number, again_from=again_from, params=params):
            more = params.get("more", 0)
            return Message("queued", channel, number, again_from, untold=1 + (more if isinstance(more, int) else 0))
        case MessageGathered():
            return replace(state, gathered=event)
        case MessageWithheld(channel=channel):
            return replace(state, status="withheld", channel=channel)
        case MessageSent():
            return replace(state, status="sent", untold=0)
        case MessageFailed():
            return replace(state, status="failed")
    return state


def _is_too_much(mailed: Mailed | None, now: datetime) -> bool:
    return mailed is not None and sum(now - at < DAY for at in mailed.at) >= mailed.most


def _withheld(command: SendMessage) -> MessageWithheld:
    return MessageWithheld(
        message_id=command.message_id,
        channel=command.channel,
        to=command.to,
        template=command.template,
        locale=command.locale,
        order_id=command.order_id,
    )


def _is_due(state: Message, now: datetime) -> bool:
    return state.status == "new" or (state.again_from is not None and state.again_from <= now)


def _gathered(command: SendMessage, state: Message) -> list[Event]:
    if not command.gather or command.again_after_seconds is None or state.again_from is None:
        return []
    gathered = MessageGathered(
        message_id=command.message_id,
        channel=command.channel,
        to=command.to,
        template=command.template,
        locale=command.locale,
        params=command.params,
        order_id=command.order_id,
        number=_number(state) + 1,
        until=state.again_from,
        pause_seconds=command.again_after_seconds,
    )
    return [gathered]


def _number(state: Message) -> int:
    return state.gathered.number if state.gathered else 0


def _queued_gathered(gathered: MessageGathered, state: Message, now: datetime) -> MessageQueued:
    return _round(gathered, state, now, gathered.pause_seconds, gathered.number - 1 + state.untold)


def _queued(command: SendMessage, state: Message, now: datetime) -> MessageQueued:
    more = _number(state) + state.untold if command.gather else None
    return _round(command, state, now, command.again_after_seconds, more)


def _round(
    message: SendMessage | MessageGathered, state: Message, now: datetime, pause: int | None, more: int | None
) -> MessageQueued:
    """The next round of a message. `more` is the number of further alerts that it stands for, None if they are not
    counted."""
    return MessageQueued(
        message_id=message.message_id,
        channel=message.channel,
        to=message.to,
        template=message.template,
        locale=message.locale,
        params=message.params if more is None else {**message.params, "more": more},
        order_id=message.order_id,
        round=state.round + 1,
        again_from=None if pause is None else now + timedelta(seconds=pause),
    )
