"""The append-only log of one service: positions without gaps in commit order, chained by hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from shared.eventstore import schema
from shared.eventstore.arrays import GIVEN, matching
from shared.eventstore.fencing import Fenced as Fenced
from shared.eventstore.recorded import RecordedEvent
from shared.eventstore.statements import (
    Statement,
    fetch,
    size_in_bytes,
    write,
    write_encoded,
)

GENESIS = bytes(32)
_SEPARATOR = b"\x1f"
EPOCH = "1970-01-01T00:00:00.000000+00:00"


def _behind(stream: Any, version: Any) -> sa.ColumnElement[bool]:
    return sa.and_(schema.log.c.stream == stream, schema.log.c.version > version)


# Built once, since building a statement costs more than running it.
_BEFORE, _EPOCH = sa.bindparam("before"), sa.bindparam("of_epoch")
_APPEND = Statement(sa.insert(schema.log))
TOGETHER = 32  # rows of one INSERT: fewer messages for the server and the client
_APPEND_TOGETHER = Statement(
    sa.insert(schema.log).values(
        [{one.name: sa.bindparam(f"{one.name}_{n}", type_=one.type) for one in schema.log.c} for n in range(TOGETHER)]
    )
)
_MOVE_HEAD = Statement(
    sa.update(schema.head)
    .where(schema.head.c.position == _BEFORE, schema.head.c.epoch == _EPOCH)
    .values(position=sa.bindparam("position"), at=sa.bindparam("at"), hash=sa.bindparam("hash")),
    guarded=True,
)
# FOR SHARE: a writer that starts waits for the commit under way, and then sees it.
_SAME_EPOCH = Statement(
    sa.select(schema.head.c.id).where(schema.head.c.epoch == _EPOCH).with_for_update(read=True), guarded=True
)
# Older code does not raise `agenda_epoch`, so neither may a writer that follows it.
_NEXT_EPOCH = (
    sa.update(schema.head)
    .values(
        epoch=schema.head.c.epoch + 1,
        agenda_epoch=sa.case(
            (schema.head.c.agenda_epoch == schema.head.c.epoch, schema.head.c.epoch + 1),
            else_=schema.head.c.agenda_epoch,
        ),
    )
    .returning(schema.head.c.epoch)
)
_MOVE_READER = Statement(
    sa.update(schema.readers)
    .where(schema.readers.c.source == sa.bindparam("reader"), schema.readers.c.position == _BEFORE)
    .values(position=sa.bindparam("position"), hash=sa.bindparam("hash")),
    guarded=True,
)
# The columns that the head has in every version.
_HEAD = sa.select(schema.head.c.position, schema.head.c.at, schema.head.c.hash, schema.head.c.epoch)
_LAST = sa.select(sa.func.coalesce(sa.func.max(schema.log.c.position), 0))
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


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a log: its last position, the time of its last event, and the hash of its chain.

    `epoch` counts the writers that have started. A writer can append only in the latest epoch.
    """

    position: int
    at: datetime
    hash: bytes
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Tampered:
    """The first position whose content does not fit the hash chain."""

    position: int


@lru_cache(maxsize=1_000)
def to_text(at: datetime) -> str:
    """A UTC time as text of fixed width, so that text order is time order."""
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat(timespec="microseconds")


def link(previous: bytes, recorded: RecordedEvent) -> bytes:
    """The chain's next hash: SHA-256 over the previous hash and all stored fields, which must not contain U+001F."""
    return _link(
        previous, recorded.position, recorded.stream, recorded.version, recorded.id, recorded.type,
        recorded.data, recorded.meta_json, to_text(recorded.at),
    )  # fmt: skip


def _link(previous: bytes, *fields: object) -> bytes:
    return hashlib.sha256(previous + "\x1f".join(map(str, fields)).encode()).digest()


class Incomplete(RuntimeError):
    """A database holds events and lacks a table that can't be rebuilt from a log."""


def missing(connection: sa.Connection) -> list[str]:
    """The tables that a database with events lacks and that can't be rebuilt from a log: scheduled items, commands,
    parked messages."""
    found = set(sa.inspect(connection).get_table_names())
    if schema.log.name not in found or connection.execute(sa.select(schema.log.c.position).limit(1)).first() is None:
        return []
    return [table.name for table in (schema.agenda, schema.commands, schema.parked) if table.name not in found]


def require_whole(connection: sa.Connection, service: str) -> None:
    """Raises Incomplete when the database lacks a table that can't be rebuilt from a log."""
    if lost := missing(connection):
        raise Incomplete(
            f"the database of {service} holds events and lacks {', '.join(lost)}; restore it from a backup"
        )


def create(connection: sa.Connection, sources: Iterable[str] = ()) -> None:
    """Create missing tables, the head row, and a reader row for each source."""
    schema.metadata.create_all(connection)
    begin(connection)
    known = set(connection.execute(sa.select(schema.readers.c.source)).scalars())
    for source in sources:
        if source not in known:
            connection.execute(sa.insert(schema.readers).values(source=source, position=0))


def begin(connection: sa.Connection) -> None:
    """Write the head of a new log, so that others can read it, as empty, before its writer starts."""
    if connection.execute(sa.select(schema.head.c.id)).first() is None:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        head = insert(schema.head).values(id=1, position=0, at=EPOCH, hash=GENESIS, epoch=0)
        connection.execute(head.on_conflict_do_nothing(index_elements=["id"]))


def read_head(connection: sa.Connection) -> Head:
    """The head as committed."""
    row = connection.execute(_HEAD).one()
    return Head(row.position, datetime.fromisoformat(row.at), bytes(row.hash), row.epoch)


def next_epoch(connection: sa.Connection) -> int:
    """Begin an epoch and return it: writers of earlier epochs can't commit any more. Read the log only after this."""
    return connection.execute(_NEXT_EPOCH).scalar_one()


def append(connection: sa.Connection, before: Head, events: Sequence[RecordedEvent]) -> Head:
    """Append events, from `before.position + 1`, and move the head. Returns the new head.

    Raises Fenced, even without events, when the stored head is not at `before` or its epoch has passed. It is raised
    here or by the commit; the transaction is rolled back.
    """
    if not events:
        write(connection, _SAME_EPOCH, [{"of_epoch": before.epoch}], fence=f"epoch {before.epoch} has passed")
        return before
    rows = _chained(before.hash, events)
    after = Head(events[-1].position, events[-1].at, rows[-1][-1], before.epoch)
    taken = f"position {before.position + 1} or a stream's version is taken"
    if not write_encoded(connection, _APPEND, _APPEND_TOGETHER, rows, fence=taken):
        write(connection, _APPEND, [_decoded(row) for row in rows], fence=taken)
    moved = {"before": before.position, "position": after.position, "at": to_text(after.at), "hash": after.hash}
    gone = f"the head is no longer at {before.position}, or epoch {before.epoch} has passed"
    write(connection, _MOVE_HEAD, [{**moved, "of_epoch": before.epoch}], fence=gone)
    return after


def _chained(chain: bytes, events: Sequence[RecordedEvent]) -> list[tuple[bytes, ...]]:
    """The rows of these events, each column encoded as it is sent, and the chain's hash last."""
    rows, at, text = [], None, b""
    for recorded in events:
        if recorded.at is not at:  # the events of a batch share it
            at = recorded.at
            text = to_text(at).encode()
        fields = (
            b"%d" % recorded.position, recorded.stream.encode(), b"%d" % recorded.version, recorded.id.encode(),
            recorded.type.encode(), recorded.data.encode(), recorded.meta_json.encode(), text,
        )  # fmt: skip
        recorded.hash = chain = hashlib.sha256(chain + _SEPARATOR.join(fields)).digest()
        rows.append((*fields, chain))
    return rows


def _decoded(row: tuple[bytes, ...]) -> dict[str, Any]:
    position, stream, version, *texts, chain = row
    values = [int(position), stream.decode(), int(version), *(text.decode() for text in texts), chain]
    return {column.name: value for column, value in zip(schema.log.c, values, strict=True)}


def move_reader(connection: sa.Connection, source: str, before: int, after: int, hash_: bytes = b"") -> None:
    """Store that a source is applied up to `after`, where its chain has that hash (empty: not known).

    Raises Fenced, as `append` does, when the stored position is not `before`.
    """
    moved = {"reader": source, "before": before, "position": after, "hash": hash_ or None}
    write(connection, _MOVE_READER, [moved], fence=f"the reader of {source} is no longer at {before}")


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
    return connection.execute(_LAST).scalar_one()


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


def check_chain(engine: sa.Engine) -> Tampered | None:
    """Check the whole log: positions have no gap, each hash is right, and the head fits the last event."""
    chain, at, reached = GENESIS, EPOCH, 0
    with engine.connect() as connection:
        head = connection.execute(_HEAD.add_columns(_LAST.scalar_subquery().label("last"))).one()
        while reached < head.position:
            statement = (
                sa.select(schema.log)
                .where(schema.log.c.position.between(reached + 1, head.position))
                .order_by(schema.log.c.position)
                .limit(2_000)
            )
            rows = connection.execute(statement).all()
            if not rows:
                return Tampered(reached + 1)
            for row in rows:
                if row.position != reached + 1:
                    return Tampered(reached + 1)
                chain, at = _link(chain, *row[:-1]), row.at
                if chain != bytes(row.hash):
                    return Tampered(row.position)
                reached = row.position
    if (chain, at) != (bytes(head.hash), head.at):
        return Tampered(head.position)
    return Tampered(head.position + 1) if head.last > head.position else None
