"""What a screening reads: the recent history of each value, and the lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from services.risk.domain.screening import Known, Listed
from services.risk.domain.velocity import idle_from, record, traits
from shared.contracts import Command, Event
from shared.contracts.risk import ListEntryRemoved, ListEntrySet, OrderScreened, ScreenOrder
from shared.eventlog.recorded import Recorded
from shared.eventlog.tables import Key, Rows, Tables

METADATA = sa.MetaData()
WINDOWS = sa.Table(
    "windows",
    METADATA,
    sa.Column("dimension", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, primary_key=True),
    sa.Column("history", sa.JSON, nullable=False),
    sa.Column("idle_from", sa.Text, nullable=False, index=True),
)
LIST_ENTRIES = sa.Table(
    "list_entries",
    METADATA,
    sa.Column("entry", sa.Text, primary_key=True),
    sa.Column("list", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("until", sa.Text),
)
SWEEP_EVERY = 1_000


class RiskTables(Tables):
    metadata = METADATA

    def __init__(self, connection: Callable[[], sa.Connection]) -> None:
        super().__init__(connection)
        self._windows = self.rows(WINDOWS)
        self._entries = self.rows(LIST_ENTRIES)

    def reads(self, asked: Event | Command, state: Any = None) -> Iterator[tuple[Rows, Key]]:
        if isinstance(asked, ScreenOrder):
            for dimension, value in traits(asked):
                yield self._windows, (dimension, value)
                yield self._entries, (f"{dimension}:{value}",)

    def known(self, order: ScreenOrder) -> Known:
        """What is known of the order's values, in at most two queries."""
        values = traits(order)
        windows = dict(zip(values, self._windows.get_many(values).values(), strict=True))
        entries = self._entries.get_many((f"{dimension}:{value}",) for dimension, value in values)
        return Known(
            histories={value: row["history"] for value, row in windows.items() if row},
            listed=[
                Listed(row["entry"], row["list"], row["until"] and datetime.fromisoformat(row["until"]))
                for row in entries.values()
                if row
            ],
        )

    def apply(self, event: Event, recorded: Recorded) -> None:
        match event:
            case OrderScreened():
                self._count(event, recorded.at)
            case ListEntrySet(entry=entry, list=name, reason=reason, until=until):
                end = until and until.isoformat()
                self._entries.put({"entry": entry, "list": name, "reason": reason, "until": end})
            case ListEntryRemoved(entry=entry):
                self._entries.delete(entry)
        if recorded.position % SWEEP_EVERY == 0:
            self._sweep(recorded.at)

    def _count(self, order: OrderScreened, at: datetime) -> None:
        values = traits(order)
        found = self._windows.get_many(values)
        for dimension, value in values:
            row = found[dimension, value]
            before = row["history"] if row else {}
            self._windows.put(
                {
                    "dimension": dimension,
                    "value": value,
                    "history": record(before, dimension, at, order.amount, order.customer),
                    "idle_from": _text(idle_from(dimension, at)),
                }
            )

    def _sweep(self, now: datetime) -> None:
        # At fixed positions of the log and by its times, so that a rebuild sweeps the same rows.
        idle = sa.select(WINDOWS.c.dimension).add_columns(WINDOWS.c.value).where(WINDOWS.c.idle_from < _text(now))
        for row in list(self._windows.select(idle)):
            self._windows.delete(row["dimension"], row["value"])


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
