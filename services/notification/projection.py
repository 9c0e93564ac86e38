"""The status of every message, for operators, and the recent mails to each address."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.notification.domain import is_unpaid
from shared.contracts import Command, Event
from shared.contracts.notification import MessageFailed, MessageQueued, MessageSent, MessageWithheld, SendMessage
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import Key, Projection, RowCache
from shared.values.identities import mailbox, or_as_is

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

ADDRESSES = sa.Table(
    "mail_addresses",
    METADATA,
    sa.Column("address", sa.Text, primary_key=True),
    sa.Column("proven", sa.Boolean, nullable=False),
    sa.Column("unpaid", sa.JSON, nullable=False),
)
UNPAID_KEPT = 100


@dataclass(frozen=True, slots=True)
class Address:
    """A mail address: whether it ever belonged to a paid order, and the times of recent mails about unpaid orders."""

    proven: bool
    unpaid: Sequence[datetime]


class NotificationProjection(Projection):
    metadata = METADATA
    version = 4
    own_events = (MessageQueued, MessageSent, MessageFailed, MessageWithheld)

    def __init__(self, connection: Callable[[], sa.Connection]) -> None:
        super().__init__(connection)
        self._messages = self.rows(MESSAGES)
        self._addresses = self.rows(ADDRESSES)

    def reads(self, asked: Event | Command, state: Any = None) -> Iterator[tuple[RowCache, Key]]:
        if isinstance(asked, SendMessage | MessageQueued) and asked.channel == "email":
            yield self._addresses, (_form(asked.to),)

    def address(self, address: str) -> Address:
        """The record of an address, in any spelling."""
        row = self._addresses.get(_form(address))
        if row is None:
            return Address(proven=False, unpaid=())
        return Address(row["proven"], [datetime.fromisoformat(at) for at in row["unpaid"]])

    def apply(self, event: Event, recorded: RecordedEvent) -> None:
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
                if event.channel == "email":
                    self._mailed(event, at)
            case MessageWithheld():
                self._messages.put(
                    {
                        "message_id": event.message_id,
                        "channel": event.channel,
                        "template": event.template,
                        "order_id": event.order_id,
                        "round": 0,
                        "status": "withheld",
                        "attempts": 0,
                        "reason": "",
                        "queued_at": at,
                        "ended_at": at,
                    }
                )
            case MessageSent(message_id=message_id, channel=channel, attempts=attempts):
                ending = {"status": "sent", "attempts": attempts, "reason": "", "ended_at": at}
                self._messages.update(message_id, channel=channel, **ending)
            case MessageFailed(message_id=message_id, attempts=attempts, reason=reason):
                ending = {"status": "failed", "attempts": attempts, "reason": reason, "ended_at": at}
                self._messages.update(message_id, **ending)

    def _mailed(self, event: MessageQueued, at: str) -> None:
        address = _form(event.to)
        row = self._addresses.get(address)
        is_about_unpaid = is_unpaid(event.template, event.params)
        if row is not None and row["proven"] and not is_about_unpaid:
            return
        unpaid = row["unpaid"] if row else []
        if is_about_unpaid:
            unpaid = [*unpaid, at][-UNPAID_KEPT:]
        proven = not is_about_unpaid or (row is not None and row["proven"])
        self._addresses.put({"address": address, "proven": proven, "unpaid": unpaid})


def _form(address: str) -> str:
    return or_as_is(mailbox, address)
