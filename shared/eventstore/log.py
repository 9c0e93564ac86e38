"""The append-only log of one service: its head, and appending. Positions have no gaps, are in commit order, and are
chained by hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from shared.eventstore import schema
from shared.eventstore.fencing import Fenced as Fenced
from shared.eventstore.recorded import RecordedEvent
from shared.eventstore.statements import Statement, write, write_encoded

GENESIS = bytes(32)
_SEPARATOR = b"\x1f"
EPOCH = "1970-01-01T00:00:00.000000+00:00"
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
HEAD = sa.select(schema.head.c.position, schema.head.c.at, schema.head.c.hash, schema.head.c.epoch)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a log: its last position, the time of its last event, and the hash of its chain.

    `epoch` counts the writers that have started. A writer can append only in the latest epoch.
    """

    position: int
    at: datetime
    hash: bytes
    epoch: int = 0


@lru_cache(maxsize=1_000)
def to_text(at: datetime) -> str:
    """A UTC time as text of fixed width, so that text order is time order."""
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat(timespec="microseconds")


def link(previous: bytes, recorded: RecordedEvent) -> bytes:
    """The chain's next hash: SHA-256 over the previous hash and all stored fields, which must not contain U+001F."""
    return link_fields(
        previous, recorded.position, recorded.stream, recorded.version, recorded.id, recorded.type,
        recorded.data, recorded.meta_json, to_text(recorded.at),
    )  # fmt: skip


def link_fields(previous: bytes, *fields: object) -> bytes:
    """The chain's next hash from an event's fields, in the order of the table's columns."""
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
    row = connection.execute(HEAD).one()
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
