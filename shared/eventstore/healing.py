"""Heals a log that was restored from a backup, when the later database is lost.

Readers have applied the lost positions, and subscribers have received their events, so the positions can't be reused.
The log is filled with PositionLost events up to the last position that anyone knows, and readers take over the healed
log's hash at their positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from shared.contracts import Metadata, PositionLost
from shared.eventstore import checkpoints, log, log_reader, schema
from shared.eventstore.checkpoints import PUBLISHED_BEFORE_HEALING, PUBLISHER
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
    """The publisher's mark, which is stored at the broker: events may have been published up to `position`, where the
    log's chain had `hash`, and were certainly published up to `safe`."""

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
    """What to heal in the log of `source`, which ends at `kept` with an event of the time `since`.

    The log is known up to `upto`, by `known`. `readers` have stored a hash that the log does not have, or will not have
    when it is filled. `mark` is set when other events were published than the log holds. `contrary` readers can't
    be healed: the log holds another event at their position, since it went on after it was restored.
    """

    source: str
    kept: int
    since: datetime
    upto: int
    known: tuple[KnownUpTo, ...] = ()
    readers: tuple[str, ...] = ()
    mark: PublishedMark | None = None
    contrary: tuple[Divergence, ...] = ()

    @property
    def lost(self) -> int:
        """How many positions to fill."""
        return self.upto - self.kept

    def __bool__(self) -> bool:
        return bool(self.lost or self.readers or self.mark or self.contrary)


def examine(
    source: str,
    logs: Mapping[str, sa.Engine],
    mark: PublishedMark | None = None,
    others: Iterable[KnownUpTo] = (),
) -> LostRange:
    """Compare a log with what its readers, its publisher and `others` know of it. Changes nothing."""
    with logs[source].connect() as connection:
        head = log.read_head(connection)
        known = [KnownUpTo(name, at) for name, at in published(connection).items()]
        known += others
        differs = (
            mark
            if mark and not agrees(connection, mark, checkpoints.stored(connection, PUBLISHED_BEFORE_HEALING))
            else None
        )
    if differs:
        known.append(KnownUpTo("what the publisher has published", differs.position))
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


def agrees(connection: sa.Connection, mark: PublishedMark, passed_over: int) -> bool:
    """Whether the log holds the marked event, or was healed: no event up to `passed_over`, the checkpoint
    PUBLISHED_BEFORE_HEALING, has to be the published one."""
    if mark.position <= passed_over:
        return True
    head = log.read_head(connection)
    return mark.position <= head.position and log_reader.hash_at(connection, mark.position) == mark.hash


def _is_lost(connection: sa.Connection, position: int) -> bool:
    type_ = sa.select(schema.log.c.type).where(schema.log.c.position == position)
    return connection.execute(type_).scalar_one_or_none() == PositionLost.type()


def heal(
    wound: LostRange, engine: sa.Engine, now: datetime, new_id: Callable[[], str], progress: Progress = lambda *_: None
) -> None:
    """Fill a log, a batch at a time, on a writer's engine of its database. It may be interrupted and repeated.

    The publisher goes on behind the published events. Scheduled external calls count as tried, since they may have been
    made in the lost time: their outcome is looked up first. Raises log.Fenced when a writer has started meanwhile.
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
    if wound.mark is not None:
        with engine.begin() as connection:
            _move_checkpoints(connection, wound.mark, wound)


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


def _move_checkpoints(connection: sa.Connection, mark: PublishedMark, wound: LostRange) -> None:
    """Move the publisher's checkpoints. When the log went on past the published position after it was restored, the
    publisher skips all events up to there; else it skips lost positions only."""
    went_on = mark.position <= wound.kept
    checkpoints.raise_to(connection, PUBLISHER, mark.position if went_on else min(mark.safe, mark.position))
    checkpoints.raise_to(connection, PUBLISHED_BEFORE_HEALING, mark.position)


def _doubt_calls(connection: sa.Connection) -> None:
    c = schema.agenda.c
    never = sa.update(schema.agenda).where(c.kind == EFFECT, c.state == WAITING, c.attempts == 0)
    connection.execute(never.values(attempts=1))


def settle(source: str, healed: sa.Engine, reader: sa.Engine) -> None:
    """Store the healed log's hash at a reader's position. The reader's writer is fenced, and starts over."""
    with reader.begin() as connection:
        log.next_epoch(connection)
        reached = reached_by(connection)[source]
        with healed.connect() as theirs:
            hash_ = log_reader.hash_at(theirs, reached.position)
        if hash_:
            statement = sa.update(schema.readers).where(
                schema.readers.c.source == source, schema.readers.c.position == reached.position
            )
            connection.execute(statement.values(hash=hash_, diverged=None))
