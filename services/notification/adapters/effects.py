"""Sends queued messages: renders them, and passes them to their channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from services.notification.adapters import Adapters
from services.notification.adapters.letter import Letter, Undeliverable
from services.notification.domain import STAFF
from shared.contracts.notification import MessageQueued, RecordSending
from shared.runtime.service import Effect, Outcome

ATTEMPTS = 15


def send(payload: Mapping[str, Any], attempt: int, adapters: Adapters) -> RecordSending:
    """Send the message of a MessageQueued payload. Raises Unsent when another try may help.

    SMTP and webhooks can't be asked whether an earlier try arrived, so a repetition has the same id.
    """
    message = MessageQueued.model_validate(payload)
    sender = adapters.senders[message.channel]
    try:
        sender.send(_letter(message, payload["queued_at"], adapters))
    except Undeliverable as error:
        return _record(message, attempt, reason=str(error)[:500])
    return _record(message, attempt, sent=True, channel=sender.channel)


def give_up(payload: Mapping[str, Any], reason: str) -> RecordSending:
    return _record(MessageQueued.model_validate(payload), ATTEMPTS, reason=reason[:500])


def _record(message: MessageQueued, attempts: int, **outcome: Any) -> RecordSending:
    outcome.setdefault("sent", False)
    return RecordSending(message_id=message.message_id, round=message.round, attempts=attempts, **outcome)


def _letter(message: MessageQueued, queued_at: str, adapters: Adapters) -> Letter:
    known = {"order_id": message.order_id or "", "order_url": _order_url(message.order_id, adapters.public_url)}
    subject, text = adapters.templates.render(message.template, message.locale, {**message.params, **known})
    return Letter(
        id=message.message_id if message.round == 1 else f"{message.message_id}#{message.round}",
        to=_address(message, adapters),
        template=message.template,
        locale=message.locale,
        subject=subject,
        text=text,
        params=message.params,
        order_id=message.order_id,
        queued_at=queued_at,
    )


def _address(message: MessageQueued, adapters: Adapters) -> str:
    if message.to != STAFF or message.channel == "console":
        return message.to
    if message.channel == "webhook" and adapters.staff_webhook_url:
        return adapters.staff_webhook_url
    raise Undeliverable(f"staff has no {message.channel} address")


def _order_url(order_id: str | None, public_url: str) -> str:
    return f"{public_url}/orders/{quote(order_id, safe='')}" if order_id else ""


def outcome(result: RecordSending) -> Outcome:
    return "done" if result.sent else "failed"


EFFECTS: Mapping[str, Effect] = {
    "send": Effect(
        run=send,
        gave_up=give_up,
        attempts=ATTEMPTS,
        first_delay_seconds=1.0,
        longest_delay_seconds=900.0,
        partner="channel",
        outcome=outcome,
    ),
}
