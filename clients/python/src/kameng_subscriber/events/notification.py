# Generated from the contracts by `python -m clients.generate`. Not to be edited.

"""What `notification` tells."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from kameng_subscriber.models import EventData

__all__ = ["MessageFailed", "MessageGathered", "MessageQueued", "MessageSent", "MessageWithheld", "PositionLost"]


class MessageFailed(EventData, event_type="kameng.notification.MessageFailed.v1", event_key="message_id"):
    """Every try failed; a person may look at the record and send it again."""

    message_id: str
    channel: Literal["email", "webhook", "console"] | str
    attempts: int
    reason: str


class MessageGathered(EventData, event_type="kameng.notification.MessageGathered.v1", event_key="message_id"):
    """An alert came within the pause of the one before: it waits `until` that is over, the last of so many by then.

    The message about them is filled with the last one's `params`, and with how many `more` there are: those of the
    message before are among them while that was not sent, for this one takes its place."""

    message_id: str
    channel: Literal["email", "webhook", "console"] | str
    to: str
    template: str
    locale: Literal["zh", "en"] | str
    params: dict[str, str | int]
    order_id: str | None
    number: int
    until: datetime
    pause_seconds: int


class MessageQueued(EventData, event_type="kameng.notification.MessageQueued.v1", event_key="message_id"):
    """To be sent. `round` counts from 1; `again_from` is when the same message may be asked for again, if ever."""

    message_id: str
    channel: Literal["email", "webhook", "console"] | str
    to: str
    template: str
    locale: Literal["zh", "en"] | str
    params: dict[str, str | int]
    order_id: str | None
    round: int = 1
    again_from: datetime | None = None


class MessageSent(EventData, event_type="kameng.notification.MessageSent.v1", event_key="message_id"):
    """`channel` is the one it really went through: an e-mail goes to the console while no mail server is configured."""

    message_id: str
    channel: Literal["email", "webhook", "console"] | str
    attempts: int


class MessageWithheld(EventData, event_type="kameng.notification.MessageWithheld.v1", event_key="message_id"):
    """Not sent: this address got as many messages of the kind as it may within a day."""

    message_id: str
    channel: Literal["email", "webhook", "console"] | str
    to: str
    template: str
    locale: Literal["zh", "en"] | str
    order_id: str | None


class PositionLost(EventData, event_type="kameng.notification.PositionLost.v1", event_key="log"):
    """What stood at this position was lost with a database, and nobody can know it any more. Nothing follows from it.

    It keeps the position from being given to another event: the log of the service `log` was restored up to `kept`,
    whose event is of the time `since`, and others had heard of events up to `upto`."""

    log: str
    kept: int
    upto: int
    since: datetime
