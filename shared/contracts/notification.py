"""Messages to people and to other machines."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import At, Command, Doc, Event, Id, Text
from shared.contracts.fields import Locale, OrderId, Reason

MessageChannel = Literal["email", "webhook", "console"]
MessageId = Annotated[Id, Doc("The id of the message; a repeated request has the same.", "order-completed/1042")]
Recipient = Annotated[Text, Doc("An address, a URL or `staff`.", "ann@example.com")]
Template = Annotated[Id, Doc("The template of the text.", "order-completed")]
Params = Annotated[dict[str, str | int], Doc("The values that fill the template.", {"delivered": "98.00 CNY"})]
Attempts = Annotated[int, Doc("How many attempts were made.", 1)]

# The type of aggregate that a stream is of, by the key of its events.
AGGREGATES = {"message_id": "message"}


class SendMessage(Command, key="message_id"):
    """Send a message once: the same `message_id` again sends nothing. `to` is an address, a URL or `staff`.

    An alert that may recur has a pause, `again_after_seconds`. After it, the same `message_id` starts a new round.
    Alerts within the pause are dropped, or, with `gather`, sent in one message when it ends.
    """

    message_id: MessageId
    channel: MessageChannel
    to: Recipient
    template: Template
    locale: Locale = "zh"
    params: Params = Field(default_factory=dict)
    order_id: OrderId | None = None
    again_after_seconds: Annotated[int, Field(strict=True, ge=1)] | None = None
    gather: bool = False


class TellGathered(Command, key="message_id"):
    """Send one message about the alerts that came within a pause. Nothing happens when there were none."""

    message_id: MessageId


class RecordSending(Command, key="message_id"):
    """Record the outcome of one round of a message. `channel` is the one that it was really sent through."""

    message_id: MessageId
    sent: bool
    attempts: Attempts
    reason: Reason = ""
    round: int = 1
    channel: MessageChannel | None = None


class MessageQueued(Event, key="message_id"):
    """A message is to be sent. `round` counts from 1. From `again_from` on, the same message can be requested again."""

    message_id: MessageId
    channel: Annotated[MessageChannel, Doc("The channel to send it through.", "email")]
    to: Recipient
    template: Template
    locale: Locale
    params: Params
    order_id: Annotated[OrderId | None, Doc("The order that the message is about, if any.")]
    round: Annotated[int, Doc("Counts from 1; grows when the same message is sent again.", 1)] = 1
    again_from: Annotated[
        At | None, Doc("From when the same message can be requested again; null for never.", "2026-01-01T09:00:00Z")
    ] = None


class MessageGathered(Event, key="message_id"):
    """An alert came within the pause after another one. It waits `until` the pause is over; then one message is sent
    about all alerts of the pause.

    That message is filled with the `params` of the last alert, and `more` counts the others. If the message before was
    not sent, `more` counts its alerts as well, because the new message replaces it.
    """

    message_id: MessageId
    channel: Annotated[MessageChannel, Doc("The channel to send it through.", "console")]
    to: Recipient
    template: Template
    locale: Locale
    params: Params
    order_id: OrderId | None
    number: Annotated[int, Doc("Counts the alerts within the pause, from 1.", 3)]
    until: Annotated[At, Doc("When the pause is over.", "2026-01-01T08:10:00Z")]
    pause_seconds: Annotated[int, Doc("The length of the pause, in seconds.", 600)]


class MessageWithheld(Event, key="message_id"):
    """A message was not sent: this address already got as many messages of the kind as it may get within a day."""

    message_id: MessageId
    channel: Annotated[MessageChannel, Doc("The channel that it would have been sent through.", "email")]
    to: Recipient
    template: Template
    locale: Locale
    order_id: OrderId | None


class MessageSent(Event, key="message_id"):
    """A message was sent through `channel`. An e-mail goes to the console while no mail server is configured."""

    message_id: MessageId
    channel: Annotated[MessageChannel, Doc("The channel that it was really sent through.", "email")]
    attempts: Attempts


class MessageFailed(Event, key="message_id"):
    """Every attempt to send the message failed. A person may look at the record and send it again."""

    message_id: MessageId
    channel: Annotated[MessageChannel, Doc("The channel that it was to be sent through.", "email")]
    attempts: Attempts
    reason: Reason
