"""Signed callbacks of partners that can't be read, from the gateway's own log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from services.gateway.resource_projection import OpenRows, ResourceProjection, folds, iso, metadata
from shared.contracts.gateway import StatementUnread, UnreadSettled
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import Key, RowCache

OPEN, SETTLED = "open", "settled"

unread = sa.Table(
    "unread_statements",
    metadata,
    sa.Column("statement_id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("partner", sa.Text, nullable=False),
    sa.Column("faults", sa.JSON, nullable=False),
    sa.Column("scraps", sa.JSON, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("told_at", sa.Text, nullable=False),
    sa.Column("settled_at", sa.Text),
    sa.Column("settled_by", sa.Text),
    sa.Column("note", sa.Text),
    sa.Index("unread_statements_by_status", "status", "kind", "told_at", "statement_id"),
)


class UnreadStatements(ResourceProjection):
    """One row for each unread statement. It is open until a person settles it."""

    def __init__(self, rows: OpenRows) -> None:
        self._unread = rows(unread, keep=200)

    def reads(self, event: Any) -> Iterator[tuple[RowCache, Key]]:
        if isinstance(event, UnreadSettled):
            yield self._unread, (event.statement_id,)

    def waiting(self, kind: str, partner: str) -> int:
        """The number of a partner's statements that wait for a person."""
        of_partner = sa.and_(unread.c.status == OPEN, unread.c.kind == kind, unread.c.partner == partner)
        return sum(
            row["count"] for row in self._unread.select(sa.select(sa.func.count().label("count")).where(of_partner))
        )

    @folds(StatementUnread)
    def statement_unread(self, event: StatementUnread, recorded: RecordedEvent) -> None:
        self._unread.put({**event.model_dump(mode="json"), "status": OPEN, "told_at": iso(recorded.at)})

    @folds(UnreadSettled)
    def unread_settled(self, event: UnreadSettled, recorded: RecordedEvent) -> None:
        at, by = iso(recorded.at), recorded.meta.actor
        self._unread.update(event.statement_id, status=SETTLED, settled_at=at, settled_by=by, note=event.note)
