"""Messages to people, and whether they were sent. Folded from the notification log alone."""

from __future__ import annotations

import sqlalchemy as sa

from services.gateway.resource_projection import OpenRows, ResourceProjection, folds, iso, metadata
from shared.contracts.notification import MessageFailed, MessageQueued, MessageSent, MessageWithheld
from shared.eventstore.recorded import RecordedEvent

notifications = sa.Table(
    "notifications",
    metadata,
    sa.Column("message_id", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("recipient", sa.Text, nullable=False),
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("params", sa.JSON, nullable=False),
    sa.Column("order_id", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("queued_at", sa.Text, nullable=False),
    sa.Column("ended_at", sa.Text),
    sa.Index("notifications_by_time", "queued_at", "message_id"),
)


class Messages(ResourceProjection):
    """One row for each message. It is queued, then sent or failed; or it was withheld."""

    def __init__(self, rows: OpenRows) -> None:
        self._messages = rows(notifications)

    @folds(MessageQueued)
    def queued(self, event: MessageQueued, recorded: RecordedEvent) -> None:
        self._messages.put(
            {
                "message_id": event.message_id,
                "channel": event.channel,
                "recipient": event.to,
                "template": event.template,
                "locale": event.locale,
                "params": dict(event.params),
                "order_id": event.order_id,
                "status": "queued",
                "attempts": 0,
                "queued_at": iso(recorded.at),
            }
        )

    @folds(MessageWithheld)
    def withheld(self, event: MessageWithheld, recorded: RecordedEvent) -> None:
        at = iso(recorded.at)
        self._messages.put(
            {
                "message_id": event.message_id,
                "channel": event.channel,
                "recipient": event.to,
                "template": event.template,
                "locale": event.locale,
                "params": {},
                "order_id": event.order_id,
                "status": "withheld",
                "attempts": 0,
                "queued_at": at,
                "ended_at": at,
            }
        )

    @folds(MessageSent)
    def sent(self, event: MessageSent, recorded: RecordedEvent) -> None:
        self._messages.update(
            event.message_id, status="sent", attempts=event.attempts, reason=None, ended_at=iso(recorded.at)
        )

    @folds(MessageFailed)
    def failed(self, event: MessageFailed, recorded: RecordedEvent) -> None:
        self._messages.update(
            event.message_id, status="failed", attempts=event.attempts, reason=event.reason, ended_at=iso(recorded.at)
        )
