"""Messages to people and to other machines."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import At, Command, Event, Id, Text

MessageChannel = Literal["email", "webhook", "console"]


class SendMessage(Command, key="message_id"):
    """Send a message once: the same `message_id` again sends nothing. `to` is an address, a URL or `staff`.

    An alert that may recur says after how many seconds the same `message_id` is a new round of it. What comes before
    is dropped, or, where it is to `gather`, told of in one message at their end.
    """

    message_id: Id
    channel: MessageChannel
    to: Text
    template: Id
    locale: Literal["zh", "en"] = "zh"
    params: dict[str, str | int] = Field(default_factory=dict)
    order_id: Id | None = None
    again_after_seconds: Annotated[int, Field(strict=True, ge=1)] | None = None
    gather: bool = False


class TellGathered(Command, key="message_id"):
    """The pause of an alert is over: tell of what came within it. Nothing happens where nothing did."""

    message_id: Id


class RecordSending(Command, key="message_id"):
    """What became of one round of a message. `channel` is the one it really went through, once it was sent."""

    message_id: Id
    sent: bool
    attempts: int
    reason: Text = ""
    round: int = 1
    channel: MessageChannel | None = None


class MessageQueued(Event, key="message_id"):
    """To be sent. `round` counts from 1; `again_from` is when the same message may be asked for again, if ever."""

    message_id: Id
    channel: MessageChannel
    to: Text
    template: Id
    locale: Literal["zh", "en"]
    params: dict[str, str | int]
    order_id: Id | None
    round: int = 1
    again_from: At | None = None


class MessageGathered(Event, key="message_id"):
    """An alert came within the pause of the one before: it waits `until` that is over, the last of so many by then.

    The message about them is filled with the last one's `params`, and with how many `more` there are: those of the
    message before are among them while that was not sent, for this one takes its place.
    """

    message_id: Id
    channel: MessageChannel
    to: Text
    template: Id
    locale: Literal["zh", "en"]
    params: dict[str, str | int]
    order_id: Id | None
    number: int
    until: At
    pause_seconds: int


class MessageWithheld(Event, key="message_id"):
    """Not sent: this address got as many messages of the kind as it may within a day."""

    message_id: Id
    channel: MessageChannel
    to: Text
    template: Id
    locale: Literal["zh", "en"]
    order_id: Id | None


class MessageSent(Event, key="message_id"):
    """`channel` is the one it really went through: an e-mail goes to the console while no mail server is configured."""

    message_id: Id
    channel: MessageChannel
    attempts: int


class MessageFailed(Event, key="message_id"):
    """Every try failed; a person may look at the record and send it again."""

    message_id: Id
    channel: MessageChannel
    attempts: int
    reason: Text
