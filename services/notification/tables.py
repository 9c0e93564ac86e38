"""What an operator sees of every message: where it stands, and why it failed."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from shared.contracts import Event
from shared.contracts.notification import MessageFailed, MessageQueued, MessageSent
from shared.eventlog.recorded import Recorded
from shared.eventlog.tables import Tables

METADATA = sa.MetaData()
MESSAGES = sa.Table(
    "messages",
    METADATA,
    sa.Column("message_id", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("order_id", sa.Text),
    sa.Column("round", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("queued_at", sa.Text, nullable=False),
    sa.Column("ended_at", sa.Text),
)


class NotificationTables(Tables):
    metadata = METADATA
    folds = (MessageQueued, MessageSent, MessageFailed)

    def __init__(self, connection: Callable[[], sa.Connection]) -> None:
        super().__init__(connection)
        self._messages = self.rows(MESSAGES)

    def apply(self, event: Event, recorded: Recorded) -> None:
        at = recorded.at.isoformat()
        match event:
            case MessageQueued():
                self._messages.put(
                    {
                        "message_id": event.message_id,
                        "channel": event.channel,
                        "template": event.template,
                        "order_id": event.order_id,
                        "round": event.round,
                        "status": "queued",
                        "attempts": 0,
                        "reason": "",
                        "queued_at": at,
                    }
                )
            case MessageSent(message_id=message_id, channel=channel, attempts=attempts):
                ending = {"status": "sent", "attempts": attempts, "reason": "", "ended_at": at}
                self._messages.update(message_id, channel=channel, **ending)
            case MessageFailed(message_id=message_id, attempts=attempts, reason=reason):
                ending = {"status": "failed", "attempts": attempts, "reason": reason, "ended_at": at}
                self._messages.update(message_id, **ending)
