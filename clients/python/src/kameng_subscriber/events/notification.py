# Generated from the contracts by `python -m clients.generate`. Not to be edited.

"""What `notification` tells."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from kameng_subscriber.models import EventData

__all__ = ["MessageFailed", "MessageGathered", "MessageQueued", "MessageSent", "MessageWithheld", "PositionLost"]


class MessageFailed(EventData, event_type="kameng.notification.MessageFailed.v1", event_key="message_id"):
    """Every attempt to send the message failed. A person may look at the record and send it again."""

    message_id: str
    channel: Literal["email", "webhook", "console"] | str
    attempts: int
    reason: str


class MessageGathered(EventData, event_type="kameng.notification.MessageGathered.v1", event_key="message_id"):
    """An alert came within the pause after another one. It waits `until` the pause is over; then one message is sent
    about all alerts of the pause.

    That message is filled with the `params` of the last alert, and `more` counts the others. If the message before was
    not sent, `more` counts its alerts as well, because the new message replaces it."""

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
    """A message is to be sent. `round` counts from 1. From `again_from` on, the same message can be requested again."""

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
    """A message was sent through `channel`. An e-mail goes to the console while no mail server is configured."""

    message_id: str
    channel: Literal["email", "webhook", "console"] | str
    attempts: int


class MessageWithheld(EventData, event_type="kameng.notification.MessageWithheld.v1", event_key="message_id"):
    """A message was not sent: this address already got as many messages of the kind as it may get within a day."""

    message_id: str
    channel: Literal["email", "webhook", "console"] | str
    to: str
    template: str
    locale: Literal["zh", "en"] | str
    order_id: str | None


class PositionLost(EventData, event_type="kameng.notification.PositionLost.v1", event_key="log"):
    """The event at this position was lost with a database and can't be recovered. It changes no state.

    It takes up the position, so that no other event gets it. The log of the service `log` was restored from a backup up
    to position `kept`, whose event was recorded at `since`. Readers or subscribers knew events up to position `upto`.
    """

    log: str
    kept: int
    upto: int
    since: datetime
