"""What a screening reads: the recent history of each value, and the lists, both by canonical values.

`list_entries` has one row for each value, under its canonical entry. The row has what was set last. Earlier versions
accepted several spellings of a value: `spellings` has all of these entries, and each of them counts. Null means the
row's own entry alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypedDict

import sqlalchemy as sa

from services.risk.domain.rules import Counted
from services.risk.domain.screening import Known, Listed
from services.risk.domain.velocity import (
    canonical_value,
    counted,
    idle_from,
    mentioned,
    placed,
    record,
    targets_of,
    traits,
)
from shared.contracts import Command, Event, Money
from shared.contracts.risk import ListEntryRemoved, ListEntrySet, ListName, OrderScreened, ScreenOrder, TargetsPaid
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import Key, Projection, RowCache

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
    sa.Column("spellings", sa.JSON),
)
SWEEP_EVERY = 1_000


class Spelling(TypedDict):
    """One entry, as the log names it; `until` is a time in ISO 8601."""

    entry: str
    list: ListName
    reason: str
    until: str | None


class RiskProjection(Projection):
    metadata = METADATA
    version = 4

    def __init__(self, connection: Callable[[], sa.Connection]) -> None:
        super().__init__(connection)
        self._windows = self.rows(WINDOWS)
        self._entries = self.rows(LIST_ENTRIES)

    def reads(self, asked: Event | Command, state: Any = None) -> Iterator[tuple[RowCache, Key]]:
        if isinstance(asked, ScreenOrder):
            for dimension, value in counted(asked):
                yield self._windows, (dimension, value)
            for dimension, value in (*traits(asked), *mentioned(asked)):
                yield self._entries, (f"{dimension}:{value}",)

    def known(self, order: ScreenOrder) -> Known:
        """The histories and list entries of the order's values, in at most two queries."""
        values, named = counted(order), traits(order)
        windows = dict(zip(values, self._windows.get_many(values).values(), strict=True))
        entries = self._entries.get_many((f"{dimension}:{value}",) for dimension, value in (*named, *mentioned(order)))
        own = {f"{dimension}:{value}" for dimension, value in named}
        return Known(
            histories={value: row["history"] for value, row in windows.items() if row},
            listed=[
                Listed(one["entry"], one["list"], datetime.fromisoformat(one["until"]) if one["until"] else None)
                for (entry,), row in entries.items()
                for one in _spelled(row)
                if entry in own or one["list"] != "allow"
            ],
        )

    def spellings(self, entry: str) -> list[str]:
        """The entries for the value that this entry names."""
        return [one["entry"] for one in _spelled(self._entries.get(_canonical(entry)))]

    def apply(self, event: Event, recorded: RecordedEvent) -> None:
        match event:
            case OrderScreened():
                self._count(tuple(placed(event)), event.amount, event.customer, recorded.at)
            case TargetsPaid():
                self._count(targets_of(event), event.amount, event.customer, recorded.at)
            case ListEntrySet(entry=entry, list=name, reason=reason, until=until):
                end = until and until.isoformat()
                self._respell(event, [{"entry": entry, "list": name, "reason": reason, "until": end}])
            case ListEntryRemoved():
                self._respell(event, [])
        if recorded.position % SWEEP_EVERY == 0:
            self._sweep(recorded.at)

    def _respell(self, event: ListEntrySet | ListEntryRemoved, instead: list[Spelling]) -> None:
        canonical, gone = _canonical(event.entry), (event.entry, *event.spellings)
        kept = [one for one in _spelled(self._entries.get(canonical)) if one["entry"] not in gone]
        if spelled := [*kept, *instead]:
            alone = [one["entry"] for one in spelled] == [canonical]
            self._entries.put({**spelled[-1], "entry": canonical, "spellings": None if alone else spelled})
        else:
            self._entries.delete(canonical)

    def _count(self, values: Sequence[tuple[Counted, str]], amount: Money, customer: str | None, at: datetime) -> None:
        found = self._windows.get_many(values)
        for dimension, value in values:
            row = found[dimension, value]
            before = row["history"] if row else {}
            self._windows.put(
                {
                    "dimension": dimension,
                    "value": value,
                    "history": record(before, dimension, at, amount, customer),
                    "idle_from": _text(idle_from(dimension, at)),
                }
            )

    def _sweep(self, now: datetime) -> None:
        # Sweeping happens at fixed positions of the log, by its times, so that a rebuild sweeps the same rows.
        idle = sa.select(WINDOWS.c.dimension).add_columns(WINDOWS.c.value).where(WINDOWS.c.idle_from < _text(now))
        for row in list(self._windows.select(idle)):
            self._windows.delete(row["dimension"], row["value"])


def _canonical(entry: str) -> str:
    """The canonical form of an entry, also of one that an earlier version stored."""
    dimension, _, value = entry.partition(":")
    return f"{dimension}:{canonical_value(dimension, value)}"


def _spelled(row: Mapping[str, Any] | None) -> list[Spelling]:
    """The entries of one value, in the order in which they were set."""
    if row is None:
        return []
    alone = Spelling(entry=row["entry"], list=row["list"], reason=row["reason"], until=row["until"])
    return row["spellings"] or [alone]


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
