"""Messages to people and to other machines."""

from __future__ import annotations

from typing import Literal

from shared.contracts.base import Command, Event, Id, Text

MessageChannel = Literal["email", "webhook", "console"]


class SendMessage(Command, key="message_id"):
    """Send a message once: the same `message_id` again sends nothing. `to` is an address, a URL or `staff`."""

    message_id: Id
    channel: MessageChannel
    to: Text
    template: Id
    locale: Literal["zh", "en"] = "zh"
    params: dict[str, str | int] = {}
    order_id: Id | None = None


class RecordSending(Command, key="message_id"):
    message_id: Id
    sent: bool
    attempts: int
    reason: Text = ""


class MessageQueued(Event, key="message_id"):
    message_id: Id
    channel: MessageChannel
    to: Text
    template: Id
    locale: Literal["zh", "en"]
    params: dict[str, str | int]
    order_id: Id | None


class MessageSent(Event, key="message_id"):
    message_id: Id
    channel: MessageChannel
    attempts: int


class MessageFailed(Event, key="message_id"):
    """Every try failed; a person may look at the record and send it again."""

    message_id: Id
    channel: MessageChannel
    attempts: int
    reason: Text
