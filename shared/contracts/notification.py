"""Messages to people and to other machines."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import At, Command, Doc, Event, Id, Text
from shared.contracts.fields import Locale, OrderId, Reason

MessageChannel = Literal["email", "webhook", "console"]
MessageId = Annotated[Id, Doc("The message, the same however often it is asked for.", "order-completed/1042")]
Recipient = Annotated[Text, Doc("An address, a URL or `staff`.", "ann@example.com")]
Template = Annotated[Id, Doc("Which text.", "order-completed")]
Params = Annotated[dict[str, str | int], Doc("What the text is filled with.", {"delivered": "98.00 CNY"})]
Attempts = Annotated[int, Doc("How many tries it took.", 1)]

# What a stream is called by, by the key of its events.
AGGREGATES = {"message_id": "message"}


class SendMessage(Command, key="message_id"):
    """Send a message once: the same `message_id` again sends nothing. `to` is an address, a URL or `staff`.

    An alert that may recur says after how many seconds the same `message_id` is a new round of it. What comes before
    is dropped, or, where it is to `gather`, told of in one message at their end.
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
    """The pause of an alert is over: tell of what came within it. Nothing happens where nothing did."""

    message_id: MessageId


class RecordSending(Command, key="message_id"):
    """What became of one round of a message. `channel` is the one it really went through, once it was sent."""

    message_id: MessageId
    sent: bool
    attempts: Attempts
    reason: Reason = ""
    round: int = 1
    channel: MessageChannel | None = None


class MessageQueued(Event, key="message_id"):
    """To be sent. `round` counts from 1; `again_from` is when the same message may be asked for again, if ever."""

    message_id: MessageId
    channel: Annotated[MessageChannel, Doc("How it is to be sent.", "email")]
    to: Recipient
    template: Template
    locale: Locale
    params: Params
    order_id: Annotated[OrderId | None, Doc("The order it is about, if it is about one.")]
    round: Annotated[int, Doc("Counts from 1; grows when the same message is sent anew.", 1)] = 1
    again_from: Annotated[
        At | None, Doc("From when the same message may be asked for again; null for never.", "2026-01-01T09:00:00Z")
    ] = None


class MessageGathered(Event, key="message_id"):
    """An alert came within the pause of the one before: it waits `until` that is over, the last of so many by then.

    The message about them is filled with the last one's `params`, and with how many `more` there are: those of the
    message before are among them while that was not sent, for this one takes its place.
    """

    message_id: MessageId
    channel: Annotated[MessageChannel, Doc("How it is to be sent.", "console")]
    to: Recipient
    template: Template
    locale: Locale
    params: Params
    order_id: OrderId | None
    number: Annotated[int, Doc("Counts what came within the pause, from 1.", 3)]
    until: Annotated[At, Doc("When it is told of.", "2026-01-01T08:10:00Z")]
    pause_seconds: Annotated[int, Doc("How long the pause is.", 600)]


class MessageWithheld(Event, key="message_id"):
    """Not sent: this address got as many messages of the kind as it may within a day."""

    message_id: MessageId
    channel: Annotated[MessageChannel, Doc("How it would have been sent.", "email")]
    to: Recipient
    template: Template
    locale: Locale
    order_id: OrderId | None


class MessageSent(Event, key="message_id"):
    """`channel` is the one it really went through: an e-mail goes to the console while no mail server is configured."""

    message_id: MessageId
    channel: Annotated[MessageChannel, Doc("How it was really sent.", "email")]
    attempts: Attempts


class MessageFailed(Event, key="message_id"):
    """Every try failed; a person may look at the record and send it again."""

    message_id: MessageId
    channel: Annotated[MessageChannel, Doc("How it was to be sent.", "email")]
    attempts: Attempts
    reason: Reason
