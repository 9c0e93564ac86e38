# Generated from the contracts by `python -m clients.generate`. Not to be edited.

"""What `notification` tells."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from kameng_subscriber.models import EventData

__all__ = ["MessageFailed", "MessageQueued", "MessageSent"]


class MessageFailed(EventData, event_type="kameng.notification.MessageFailed.v1", event_key="message_id"):
    """Every try failed; a person may look at the record and send it again."""

    message_id: str
    channel: Literal["email", "webhook", "console"] | str
    attempts: int
    reason: str


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
