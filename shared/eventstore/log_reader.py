"""Reads the events of a log: by position, by name, by stream, by time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from shared.eventstore import schema
from shared.eventstore.arrays import GIVEN, matching
from shared.eventstore.log import GENESIS, read_head, to_text
from shared.eventstore.recorded import RecordedEvent
from shared.eventstore.statements import Statement, fetch, size_in_bytes


def _behind(stream: Any, version: Any) -> sa.ColumnElement[bool]:
    return sa.and_(schema.log.c.stream == stream, schema.log.c.version > version)


LAST = sa.select(sa.func.coalesce(sa.func.max(schema.log.c.position), 0))
FIELDS = [column for column in schema.log.c if column is not schema.log.c.hash]
MOST_BYTES = 4 * 1024 * 1024  # of events that are read at once
_SIZE = size_in_bytes(schema.log.c.data) + size_in_bytes(schema.log.c.meta)


def _within(
    *conditions: sa.ColumnElement[bool],
    fields: Sequence[sa.Column[Any]] = FIELDS,
    size: sa.ColumnElement[int] = _SIZE,
) -> sa.Select[*tuple[Any, ...]]:
    """The first `most` events; of these, only as many as the database needs to reach `bytes`."""
    before = (sa.func.sum(size).over(order_by=schema.log.c.position) - size).label("before")
    most = sa.bindparam("most", type_=sa.Integer)
    first = sa.select(*fields, before).where(*conditions).order_by(schema.log.c.position).limit(most).subquery("first")
    shown = [first.c[column.name] for column in fields]
    return sa.select(*shown).where(first.c.before < sa.bindparam("bytes")).order_by(first.c.position)


_BEHIND = sa.bindparam("behind")
_READ = Statement(_within(schema.log.c.position > _BEHIND))
# Also reads the event at the position, for its hash: it proves that the events behind it belong to the same log.
_READ_CHAINED = Statement(
    _within(
        schema.log.c.position >= _BEHIND,
        fields=list(schema.log.c),
        size=sa.case((schema.log.c.position > _BEHIND, _SIZE), else_=sa.literal_column("0")),
    )
)
_HASH_AT = sa.select(schema.log.c.hash).where(schema.log.c.position == sa.bindparam("at_position"))
_BY_VERSION = (schema.log.c.stream, schema.log.c.version)
_WHOLE_STREAMS = Statement(
    sa.select(*FIELDS).where(schema.log.c.stream.in_(sa.bindparam("streams", expanding=True))).order_by(*_BY_VERSION)
)
_RESTS_OF_STREAMS = matching(
    schema.log,
    [sa.column("stream", sa.Text), sa.column("version", sa.Integer)],
    lambda given: _behind(given.stream, given.version),
    FIELDS,
)
_RESTS = Statement(
    _RESTS_OF_STREAMS.order_by(*(_RESTS_OF_STREAMS.selected_columns[column.name] for column in _BY_VERSION))
)
AT_ONCE = 200


def recorded_of(source: str, row: Sequence[Any]) -> RecordedEvent:
    """The event of a row of FIELDS."""
    position, stream, version, id_, type_, data, meta, at = row
    return RecordedEvent(source, position, stream, version, id_, type_, data, meta, datetime.fromisoformat(at))


def read(
    connection: sa.Connection, source: str, after: int, limit: int, most_bytes: int | None = None
) -> list[RecordedEvent]:
    """At most `limit` events behind position `after`, in order, until they have `most_bytes` (default MOST_BYTES); at
    least one."""
    asked = {"behind": after, "most": limit, "bytes": MOST_BYTES if most_bytes is None else most_bytes}
    return [recorded_of(source, row) for row in fetch(connection, _READ, asked)]


def read_chained(
    connection: sa.Connection, source: str, after: int, limit: int, most_bytes: int | None = None
) -> tuple[bytes, list[RecordedEvent]]:
    """The chain's hash at position `after`, empty when the log has no event there, and the events behind it, as `read`
    gives them, with their hashes."""
    most = MOST_BYTES if most_bytes is None else most_bytes
    rows = fetch(connection, _READ_CHAINED, {"behind": after, "most": limit + 1, "bytes": most})
    before = GENESIS if after == 0 else b""
    if rows and rows[0][0] == after:
        before, rows = bytes(rows[0][-1]), rows[1:]
    events = []
    for row in rows[:limit]:
        recorded = recorded_of(source, row[:-1])
        recorded.hash = bytes(row[-1])
        events.append(recorded)
    return before, events


def hash_at(connection: sa.Connection, position: int) -> bytes:
    """The chain's hash at a position; empty when there is no event."""
    if position == 0:
        return GENESIS
    found = connection.execute(_HASH_AT, {"at_position": position}).scalar_one_or_none()
    return bytes(found) if found is not None else b""


def read_named(
    connection: sa.Connection, source: str, after: int, last: int, limit: int, names: frozenset[str] | None
) -> list[RecordedEvent]:
    """At most `limit` events of these names in any version (None: all names) behind position `after` up to `last`,
    until they have MOST_BYTES; at least one, if there is one."""
    if names is not None and not names:
        return []
    asked = {"behind": after, "last": last, "most": limit, "bytes": MOST_BYTES}
    return [recorded_of(source, row) for row in fetch(connection, _named(names), asked)]


def is_named(names: Iterable[str]) -> sa.ColumnElement[bool]:
    """Whether an event has one of these names, in any version."""
    versionless = sa.func.rtrim(schema.log.c.type, sa.literal_column("'0123456789'"))
    return versionless.in_([sa.literal_column(f"'{name}.v'") for name in sorted(names)])


@lru_cache(maxsize=100)
def _named(names: frozenset[str] | None) -> Statement:
    within = [schema.log.c.position > sa.bindparam("behind"), schema.log.c.position <= sa.bindparam("last")]
    if names is not None:
        within.append(is_named(names))
    return Statement(_within(*within))


def types(connection: sa.Connection) -> list[tuple[str, int, int]]:
    """The stored types of all events, each with its first position and its count, ordered by the position."""
    first = sa.func.min(schema.log.c.position)
    statement = sa.select(schema.log.c.type, first, sa.func.count()).group_by(schema.log.c.type).order_by(first)
    return [(type_, position, count) for type_, position, count in connection.execute(statement)]


def last_position(connection: sa.Connection) -> int:
    """The position of the last stored event, whatever the head says; 0 when there is none."""
    return connection.execute(LAST).scalar_one()


def read_all(
    engine: sa.Engine, source: str, *, after: int = 0, up_to: int | None = None, page: int = 2_000
) -> Iterator[RecordedEvent]:
    """All events behind position `after`, up to and including `up_to`; read a page at a time."""
    while up_to is None or after < up_to:
        with engine.connect() as connection:
            events = read(connection, source, after, page if up_to is None else min(page, up_to - after))
        if not events:
            return
        yield from events
        after = events[-1].position


def read_streams(connection: sa.Connection, source: str, behind: dict[str, int]) -> dict[str, list[RecordedEvent]]:
    """The events of each stream behind the given version (0 for all), in order."""
    found: dict[str, list[RecordedEvent]] = {stream: [] for stream in behind}
    asking = _asking if connection.dialect.name == "postgresql" else _asking_sqlite
    for statement, values in asking(behind):
        for row in fetch(connection, statement, values):
            recorded = recorded_of(source, row)
            found[recorded.stream].append(recorded)
    return found


def _asking(behind: dict[str, int]) -> Iterator[tuple[Statement, dict[str, Any]]]:
    given = [{"stream": stream, "version": version} for stream, version in behind.items()]
    for start in range(0, len(given), AT_ONCE):
        yield _RESTS, {GIVEN: given[start : start + AT_ONCE]}


def _asking_sqlite(behind: dict[str, int]) -> Iterator[tuple[Statement, dict[str, Any]]]:
    whole = [stream for stream, version in behind.items() if version == 0]
    for start in range(0, len(whole), AT_ONCE):
        yield _WHOLE_STREAMS, {"streams": whole[start : start + AT_ONCE]}
    rests = [_behind(stream, version) for stream, version in behind.items() if version]
    for start in range(0, len(rests), AT_ONCE):
        some = sa.or_(*rests[start : start + AT_ONCE])
        yield Statement(sa.select(*FIELDS).where(some).order_by(*_BY_VERSION)), {}


def position_at(connection: sa.Connection, at: datetime) -> int:
    """The position of the last event that is not later than `at`; 0 when there is none."""
    low, high = 0, read_head(connection).position
    moment = to_text(at)
    while low < high:
        middle = (low + high + 1) // 2
        found = connection.execute(sa.select(schema.log.c.at).where(schema.log.c.position == middle)).scalar_one()
        low, high = (middle, high) if found <= moment else (low, middle - 1)
    return low
