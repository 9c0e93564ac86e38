"""Heals a log that was restored from a backup older than what others know of it, when the later database is gone.

Positions can't be taken back: readers have applied them, and outsiders have been told of them. So the log goes on
behind all that is known of it anywhere. The positions between are filled with PositionLost, and readers take the healed
log's hash on where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from shared.contracts import Metadata, PositionLost
from shared.eventstore import checkpoints, log, schema
from shared.eventstore.checkpoints import PUBLISHER, TOLD
from shared.eventstore.divergence import (
    Divergence,
    ReaderPosition,
    divergence,
    published,
    reached_by,
)
from shared.eventstore.recorded import RecordedEvent
from shared.scheduler.scheduler import EFFECT, WAITING

BATCH = 1_000
ACTOR = "system:heal"
Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class PublishedMark:
    """What the publisher keeps outside of the database: the outside may have been told of the log up to `position`,
    where its chain had `hash`, and has been told up to `safe`."""

    position: int
    hash: bytes
    safe: int = 0


@dataclass(frozen=True, slots=True)
class KnownUpTo:
    """Somebody knows a log up to a position."""

    who: str
    position: int


@dataclass(frozen=True, slots=True)
class LostRange:
    """What is to be healed in the log of `source`, which ends at `kept` with an event of the time `since`.

    It is known up to `upto`, by `known`. `readers` remember a hash that the log does not have, or will have when it is
    filled; `told` is set where the outside knows other events than the log holds. `contrary` can't be healed: readers
    at whose position the log holds an event that they have not read, for it went on after it was set back.
    """

    source: str
    kept: int
    since: datetime
    upto: int
    known: tuple[KnownUpTo, ...] = ()
    readers: tuple[str, ...] = ()
    told: PublishedMark | None = None
    contrary: tuple[Divergence, ...] = ()

    @property
    def lost(self) -> int:
        """How many positions are to be filled."""
        return self.upto - self.kept

    def __bool__(self) -> bool:
        return bool(self.lost or self.readers or self.told or self.contrary)


def examine(
    source: str,
    logs: Mapping[str, sa.Engine],
    told: PublishedMark | None = None,
    others: Iterable[KnownUpTo] = (),
) -> LostRange:
    """Compare a log with all that is known of it: by its readers, by the publisher, by others. Changes nothing."""
    with logs[source].connect() as connection:
        head = log.read_head(connection)
        known = [KnownUpTo(name, at) for name, at in published(connection).items()]
        known += others
        differs = told if told and not agrees(connection, told, checkpoints.stored(connection, TOLD)) else None
    if differs:
        known.append(KnownUpTo("what the publisher has told the outside", differs.position))
    readers, contrary = [], []
    for reader, reached in _readers(source, logs):
        with logs[source].connect() as connection:
            found = divergence(connection, reader, source, reached)
            if found is None:
                continue
            if not found.is_beyond and not _is_lost(connection, reached.position):
                contrary.append(found)
                continue
        readers.append(reader)
        known.append(KnownUpTo(reader, reached.position))
    beyond = tuple(one for one in known if one.position > head.position)
    upto = max([head.position, *(one.position for one in beyond)])
    return LostRange(source, head.position, head.at, upto, beyond, tuple(readers), differs, tuple(contrary))


def _readers(source: str, logs: Mapping[str, sa.Engine]) -> Iterator[tuple[str, ReaderPosition]]:
    for reader, engine in logs.items():
        with engine.connect() as connection:
            reached = reached_by(connection).get(source)
        if reader != source and reached is not None:
            yield reader, reached


def agrees(connection: sa.Connection, told: PublishedMark, passed_over: int) -> bool:
    """Whether the log holds what the outside was told, or has been healed of it: up to `passed_over`, as TOLD says."""
    if told.position <= passed_over:
        return True
    head = log.read_head(connection)
    return told.position <= head.position and log.hash_at(connection, told.position) == told.hash


def _is_lost(connection: sa.Connection, position: int) -> bool:
    type_ = sa.select(schema.log.c.type).where(schema.log.c.position == position)
    return connection.execute(type_).scalar_one_or_none() == PositionLost.type()


def heal(
    wound: LostRange, engine: sa.Engine, now: datetime, new_id: Callable[[], str], progress: Progress = lambda *_: None
) -> None:
    """Fill a log, a batch at a time, on a writer's engine of its database; broken off, it may be done again.

    The publisher goes on behind what the outside was told. What the agenda has to call is looked up before it is
    called: it may have been called in the time that is lost. Raises log.Fenced when a writer came in between.
    """
    with engine.begin() as connection:
        epoch = log.next_epoch(connection)
    with engine.begin() as connection:
        _doubt_calls(connection)
    done = 0
    while done < wound.lost:
        with engine.begin() as connection:
            head = replace(log.read_head(connection), epoch=epoch)
            events = list(_fillers(connection, wound, head, max(now, head.at), new_id))
            log.append(connection, head, events)
        done = wound.lost - (wound.upto - events[-1].position)
        progress(done, wound.lost)
    if wound.told is not None:
        with engine.begin() as connection:
            _tell(connection, wound.told, wound)


def _fillers(
    connection: sa.Connection, wound: LostRange, head: log.Head, at: datetime, new_id: Callable[[], str]
) -> Iterator[RecordedEvent]:
    stream = f"log-{wound.source}"
    last = sa.select(sa.func.coalesce(sa.func.max(schema.log.c.version), 0)).where(schema.log.c.stream == stream)
    version = connection.execute(last).scalar_one()
    event = PositionLost(log=wound.source, kept=wound.kept, upto=wound.upto, since=wound.since)
    data, cause = event.model_dump_json(), new_id()
    meta = Metadata(correlation_id=cause, causation_id=cause, actor=ACTOR).model_dump_json()
    for number in range(1, min(BATCH, wound.upto - head.position) + 1):
        yield RecordedEvent(
            wound.source, head.position + number, stream, version + number, new_id(), event.type(), data, meta, at
        )  # fmt: skip


def _tell(connection: sa.Connection, told: PublishedMark, wound: LostRange) -> None:
    """Where the log went on by itself past what the outside knows, nothing of that is told; else lost positions only
    are passed over."""
    went_on = told.position <= wound.kept
    checkpoints.raise_to(connection, PUBLISHER, told.position if went_on else min(told.safe, told.position))
    checkpoints.raise_to(connection, TOLD, told.position)


def _doubt_calls(connection: sa.Connection) -> None:
    c = schema.agenda.c
    never = sa.update(schema.agenda).where(c.kind == EFFECT, c.state == WAITING, c.attempts == 0)
    connection.execute(never.values(attempts=1))


def settle(source: str, healed: sa.Engine, reader: sa.Engine) -> None:
    """A reader takes on the hash that a healed log has where it is. Its writer is fenced, and reads anew."""
    with reader.begin() as connection:
        log.next_epoch(connection)
        reached = reached_by(connection)[source]
        with healed.connect() as theirs:
            hash_ = log.hash_at(theirs, reached.position)
        if hash_:
            statement = sa.update(schema.readers).where(
                schema.readers.c.source == source, schema.readers.c.position == reached.position
            )
            connection.execute(statement.values(hash=hash_, diverged=None))
