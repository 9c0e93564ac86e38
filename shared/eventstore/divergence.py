"""Compares a log with what its readers have applied of it, by positions and chain hashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from shared.eventstore import log, log_reader, schema
from shared.eventstore.checkpoints import PUBLISHER
from shared.eventstore.unreadable import described


@dataclass(frozen=True, slots=True)
class Divergence:
    """`reader` has applied the log of `source` up to `position`; the log, which ends at `head`, has no event or another
    event there. One of the two databases was restored from a backup, or changed."""

    reader: str
    source: str
    position: int
    head: int

    @property
    def is_beyond(self) -> bool:
        """Whether the log ends before the reader's position."""
        return self.position > self.head

    def __str__(self) -> str:
        is_publisher = self.reader == PUBLISHER
        what = "the publisher has handed on" if is_publisher else f"{self.reader} has applied"
        if self.is_beyond:
            lost = self.position - self.head
            return (
                f"{what} the log of {self.source} up to {self.position}, "
                f"but that log ends at {self.head}: its last {lost} events are lost"
            )
        return f"{what} another event at {self.position} than the log of {self.source} holds there"


@dataclass(frozen=True, slots=True)
class SourceFault:
    """What is wrong with a source, as its reader has found it last.

    `diverged`: where the source's log ended when it was found to have diverged; None while it has not. `held`: the
    essential event that the reader does not know, as text. `unknown`: the types of events that it does not know.
    """

    diverged: int | None = None
    held: str = ""
    unknown: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.diverged is not None or bool(self.held or self.unknown)


@dataclass(frozen=True, slots=True)
class ReaderPosition:
    """How far a reader has applied a source; `hash` is that of the source's chain there, empty when not known."""

    position: int
    hash: bytes = b""
    fault: SourceFault = SourceFault()

    @property
    def diverged(self) -> int | None:
        """Where the source's log ended when it was found to have diverged; None while it has not."""
        return self.fault.diverged


def divergence(connection: sa.Connection, reader: str, source: str, reached: ReaderPosition) -> Divergence | None:
    """Compare a reader's position with the log of `source` in the connection's database; None when they agree."""
    head = log.read_head(connection).position
    if reached.position > head:
        return Divergence(reader, source, reached.position, head)
    if reached.hash and log_reader.hash_at(connection, reached.position) != reached.hash:
        return Divergence(reader, source, reached.position, head)
    return None


def reached_by(connection: sa.Connection) -> dict[str, ReaderPosition]:
    """By source, how far the service of the connection's database has applied it. Hashes are missing where an earlier
    version has written the tables."""
    readers = schema.readers.c
    columns = {column["name"] for column in sa.inspect(connection).get_columns(schema.readers.name)}
    wanted = [column for column in schema.readers.columns if column.name in columns]
    rows = connection.execute(sa.select(*wanted).order_by(readers.source)).mappings()
    return {row["source"]: ReaderPosition(row["position"], bytes(row.get("hash") or b""), _fault(row)) for row in rows}


def _fault(row: Mapping[Any, Any]) -> SourceFault:
    return SourceFault(row.get("diverged"), row.get("held") or "", tuple((row.get("unknown") or "").split()))


def remember(connection: sa.Connection, source: str, found: SourceFault) -> None:
    """Store what is wrong with a reader's source, or that nothing is wrong any more."""
    stored = sa.update(schema.readers).where(schema.readers.c.source == source)
    unknown = " ".join(found.unknown) or None
    connection.execute(stored.values(diverged=found.diverged, held=found.held or None, unknown=unknown))


def disagreements(logs: Mapping[str, sa.Engine], about: str | None = None) -> Iterator[str]:
    """Sentences about readers' positions and publishers' checkpoints that disagree with the logs.

    `logs`: the databases by service. With `about`, only those of this service and of its log. Databases that can't be
    reached are left out: the callers report them.
    """
    for reader, engine in logs.items():
        try:
            with engine.connect() as connection:
                known = reached_by(connection)
                own = log.read_head(connection).position
                ahead = {name: at for name, at in published(connection).items() if at > own}
        except SQLAlchemyError:
            continue
        except (TypeError, ValueError) as error:
            yield f"{reader}: its head, or how far it has read: {described(error)}"
            continue
        if about in (None, reader):
            for name, at in ahead.items():
                yield f"the {name} of {reader} has handed on its log up to {at}, but that log ends at {own}"
        for source, reached in known.items():
            if source in logs and about in (None, reader, source):
                yield from _against(logs[source], reader, source, reached)


def _against(engine: sa.Engine, reader: str, source: str, reached: ReaderPosition) -> Iterator[str]:
    try:
        with engine.connect() as connection:
            found = divergence(connection, reader, source, reached)
    except SQLAlchemyError:
        return
    except (TypeError, ValueError) as error:
        yield f"{source}: its head, or what {reader} has read of it: {described(error)}"
        return
    if found is not None:
        yield str(found)


def published(connection: sa.Connection) -> dict[str, int]:
    """How far a log has been published, by checkpoint."""
    rows = connection.execute(sa.select(schema.checkpoints.c.name, schema.checkpoints.c.position))
    return {row.name: row.position for row in rows}
