"""Whether a log and somebody who has read it speak of the same events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from shared.eventstore import log, schema
from shared.eventstore.checkpoints import PUBLISHER
from shared.eventstore.unreadable import described


@dataclass(frozen=True, slots=True)
class Divergence:
    """`reader` has applied the log of `source` up to `position`, and that log, which ends at `head`, has no event there
    or another one: one of the two was set back, or changed."""

    reader: str
    source: str
    position: int
    head: int

    @property
    def is_beyond(self) -> bool:
        """Whether the log ends before what was read of it."""
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

    `diverged` is where the source ended when it was found to be another log; None while it is the same. `held` says
    which event of it must be known and is not, `unknown` has the types that were met and are not known.
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
    ailing: SourceFault = SourceFault()

    @property
    def diverged(self) -> int | None:
        """Where the source ended when it was last found to be another log; None while it is the same."""
        return self.ailing.diverged


def divergence(connection: sa.Connection, reader: str, source: str, reached: ReaderPosition) -> Divergence | None:
    """What a log, through a connection to its database, has against what somebody says to have read of it."""
    head = log.read_head(connection).position
    if reached.position > head:
        return Divergence(reader, source, reached.position, head)
    if reached.hash and log.hash_at(connection, reached.position) != reached.hash:
        return Divergence(reader, source, reached.position, head)
    return None


def reached_by(connection: sa.Connection) -> dict[str, ReaderPosition]:
    """How far a service, through a connection to its database, has applied each of its sources; without hashes where
    an earlier version has written its tables."""
    readers = schema.readers.c
    columns = {column["name"] for column in sa.inspect(connection).get_columns(schema.readers.name)}
    wanted = [column for column in schema.readers.columns if column.name in columns]
    rows = connection.execute(sa.select(*wanted).order_by(readers.source)).mappings()
    return {row["source"]: ReaderPosition(row["position"], bytes(row.get("hash") or b""), _ailing(row)) for row in rows}


def _ailing(row: Mapping[Any, Any]) -> SourceFault:
    return SourceFault(row.get("diverged"), row.get("held") or "", tuple((row.get("unknown") or "").split()))


def remember(connection: sa.Connection, source: str, found: SourceFault) -> None:
    """Store what is wrong with a reader's source, or that nothing is any more, for all who look."""
    told = sa.update(schema.readers).where(schema.readers.c.source == source)
    unknown = " ".join(found.unknown) or None
    connection.execute(told.values(diverged=found.diverged, held=found.held or None, unknown=unknown))


def disagreements(logs: Mapping[str, sa.Engine], about: str | None = None) -> Iterator[str]:
    """Where services, by their databases, speak of other events than the logs hold: readers' positions and publishers'
    checkpoints; with `about`, those of this service and of its log only. What can't be read is left to others to tell.
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
    """How far a log has been handed on to the outside, by whom."""
    rows = connection.execute(sa.select(schema.checkpoints.c.name, schema.checkpoints.c.position))
    return {row.name: row.position for row in rows}
