"""The writer's in-memory state: cached states, projection, scheduled items, positions, replies, known divergences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import cache, partial

import sqlalchemy as sa
import structlog

from shared.contracts import Command, Metadata, is_event
from shared.eventstore import log, schema
from shared.eventstore.divergence import (
    Divergence,
    ReaderPosition,
    divergence,
    reached_by,
)
from shared.eventstore.recorded import RecordedEvent
from shared.messages.messages import EventBatch
from shared.projections import versions
from shared.projections.projection import Projection, RowCache
from shared.runtime.service import HostContext, Service
from shared.scheduler import expected
from shared.scheduler.scheduler import Scheduler
from shared.subscriptions.continuity import Continuity, fit
from shared.subscriptions.source_status import SourceStatuses
from shared.subscriptions.unknown_events import UnknownEvents
from shared.telemetry import tracing
from shared.writer.aggregate_cache import AggregateCache, AggregateType
from shared.writer.inputs import Input
from shared.writer.parked_messages import ParkedMessages

MOST_PASSED = 50
logger = structlog.get_logger()


def _off(by: timedelta, tolerance: timedelta) -> str:
    if abs(by) <= tolerance:
        return ""
    return f"{abs(by).total_seconds():.0f} s {'ahead of' if by > timedelta() else 'behind'}"


class WriterState:
    """The in-memory state of one service's writer, over the service's database.

    Read and change it inside `at(connection)`; `flush` writes the changes in that transaction. Call `committed` after
    the commit, or `forget` after a rollback and `recover` before the next transaction.

    `positions`: the last applied position of each source; `hashes`: the source's chain hash there, empty where it is
    not known; `stored`: the positions that the database holds. `diverged`: sources whose log is not the one that was
    applied; `contested`: readers that know other events of this service's log; `unknown`: events met whose type this
    code does not know.
    """

    def __init__(self, service: Service, engine: sa.Engine, context: HostContext) -> None:
        self.service, self.engine = service, engine
        self.clock, self.ids = context.clock, context.ids
        self.adapters = service.adapters(context)
        self.shop = context.settings.shop()
        self._actor = f"system:{service.name}"
        self.heard = {event.__name__ for event in (*service.reactions, *service.foreign_events)}
        self._wants = {event.__name__: want for event, want in service.wants.items()}
        self.foreign_event_names = {event.__name__ for event in service.foreign_events}
        self._own_event_names = service.projection.own_event_names()
        self._reactions = {event.__name__: reaction for event, reaction in service.reactions.items()}
        self._decided = {command for aggregate in service.aggregates for command in aggregate.commands}
        self.aggregate_for = cache(service.aggregate_for)
        self._connected: sa.Connection | None = None
        self.projection: Projection = service.projection(self._connection)
        self.known_commands = RowCache(schema.commands, self._connection, keep=10_000)
        self.scheduler = Scheduler(self._connection)
        self.parked = ParkedMessages(self._connection, partial(tracing.parked, service.name))
        self.spans = tracing.Decisions(service.name)
        aggregate_types = {
            aggregate.name: AggregateType(aggregate.initial, aggregate.evolve) for aggregate in service.aggregates
        }
        self.cache = AggregateCache(service.name, aggregate_types, self._connection)
        self.positions: dict[str, int] = {}
        self.hashes: dict[str, bytes] = {}
        self.diverged: dict[str, Divergence] = {}
        self.contested: dict[str, Divergence] = {}
        self.unknown = UnknownEvents(service.name)
        self._source_statuses = SourceStatuses()
        self._tolerance = timedelta(seconds=context.settings.clock_tolerance_seconds)
        self.stored: dict[str, int] = {}
        self._passed = 0
        self.head = log.Head(0, self.clock.now(), log.GENESIS)
        self._epoch = self.head.epoch
        self._parts = (self.known_commands, self.projection, self.cache, self.scheduler, self.parked, self.spans)
        self._rolled_back = self._in_doubt = False
        self.full, self._room_looked_for = "", 0.0
        self._kept: list[Input] = []

    def _connection(self) -> sa.Connection:
        if self._connected is None:
            raise RuntimeError("tables are read and written in a unit of work only")
        return self._connected

    def start(self) -> None:
        """Create missing tables, begin a new epoch, which fences the former writer, and load the committed state.

        Raises log.Incomplete when the database lacks a table that cannot be rebuilt from a log.
        """
        with self.engine.begin() as connection:
            log.require_whole(connection, self.service.name)
            log.create(connection, self.service.sources())
            for metadata in (self.service.projection.metadata, *self.service.kept_tables()):
                metadata.create_all(connection)
            versions.begin(connection, self.service.projection)
            expected.begin(connection)
            self._epoch = log.next_epoch(connection)
            self.scheduler.load(connection, restarted=True)
            self._resume(connection)

    def _resume(self, connection: sa.Connection) -> None:
        self.head = replace(log.read_head(connection), epoch=self._epoch)
        sources = self.service.sources()
        found = {source: reached for source, reached in reached_by(connection).items() if source in sources}
        stored = {source: reached.position for source, reached in found.items()}
        if self._in_doubt or stored != self.stored:
            self.positions = dict(stored)
            self.hashes = {source: reached.hash for source, reached in found.items()}
            self.diverged = {
                source: Divergence(self.service.name, source, reached.position, reached.diverged)
                for source, reached in found.items()
                if reached.diverged is not None
            }
            self._source_statuses = SourceStatuses({source: reached.fault for source, reached in found.items()})
        self.stored = stored
        self.parked.load(connection)

    @contextmanager
    def at(self, connection: sa.Connection) -> Iterator[None]:
        """Read and write through this connection inside the `with` block."""
        self._connected = connection
        try:
            yield
        finally:
            self._connected = None

    def flush(self) -> None:
        """Write all changes except the log's events, in the current transaction."""
        for batch in self._parts:
            batch.flush()

    def committed(self, head: log.Head, positions: dict[str, int], hashes: dict[str, bytes]) -> None:
        """Call it after the commit, with the log's new `head` and, for each source, the applied position and the hash
        of its chain there."""
        self.head = head
        self.positions.update(positions)
        self.hashes.update(hashes)
        self.stored.update(positions)
        self._passed = 0
        for batch in self._parts:
            batch.committed()

    def forget(self, *, in_doubt: bool) -> None:
        """Call it after a rollback: undo the batch's changes in memory. `in_doubt`: the commit may have succeeded, or
        another writer may have written."""
        for batch in self._parts:
            batch.forget()
        self._rolled_back = True
        self._in_doubt |= in_doubt

    def recover(self) -> None:
        """After a rollback, reload from the database. If the commit's outcome is unknown, or another writer may have
        written, drop cached states and scheduled items as well."""
        if not self._rolled_back:
            return
        with self.engine.begin() as connection:
            self._resume(connection)
            if self._in_doubt:
                self.scheduler.load(connection, restarted=False)
        if self._in_doubt:
            self.cache.clear()
        self._rolled_back = self._in_doubt = False

    def pass_over(self, inputs: Sequence[Input]) -> bool:
        """Apply batches of events without a commit, when none of their events concerns this service and no item is
        due. Returns False when they need a commit. Afterwards `is_ahead` is True until a commit stores the
        positions."""
        if self._rolled_back or self._passed >= MOST_PASSED or self.scheduler.is_due(self.clock.now()):
            return False
        positions, hashes = dict(self.positions), dict(self.hashes)
        for work in inputs:
            if not isinstance(work, EventBatch) or work.source in self.diverged or self._has_relevant(work):
                return False
            match fit(work, positions[work.source], hashes.get(work.source, b"")):
                case "gap" | "other":
                    return False
                case "next":
                    positions[work.source], hashes[work.source] = work.last, work.hash
                case "old":
                    pass
        self._passed += 1
        self.positions, self.hashes = positions, hashes
        return True

    # Sources and readers that hold another log

    @property
    def halted(self) -> str:
        """Why the writer decides nothing; empty while it decides."""
        clock = [self.clock_off, self._late]
        if not (self.full or self.contested or any(clock)):
            return ""
        reasons = [self.full, *map(str, self.contested.values()), *clock]
        return "; ".join(reason for reason in reasons if reason)

    @property
    def clock_off(self) -> str:
        """How far the clock is off its reference, when that is more than the tolerance; else empty."""
        reference = self.clock.reference()
        off = _off(self.clock.now() - reference, self._tolerance) if reference is not None else ""
        return f"its clock is {off} the one it is compared with" if off else ""

    @property
    def _late(self) -> str:
        off = _off(min(self.clock.now() - self.head.at, timedelta()), self._tolerance) if self.head.position else ""
        return f"its clock is {off} the last event in its log" if off else ""

    def next_due(self) -> str | None:
        """When the earliest scheduled item is due, as text; None when there is none, or the writer is halted."""
        return None if self.halted else self.scheduler.next_due()

    def is_due(self) -> bool:
        """Whether a scheduled item is due."""
        return not self.halted and self.scheduler.is_due(self.clock.now())

    def check_continuity(self, batch: EventBatch, reached: int, known: bytes) -> Continuity:
        """How a batch continues its source; see `continuity.fit`. A batch of another log marks the source as diverged,
        until a batch arrives that continues the applied events."""
        found = fit(batch, reached, known)
        if found == "other":
            self.diverge(Divergence(self.service.name, batch.source, reached, max(batch.last, reached)))
        elif batch.source in self.diverged:
            if batch.first != reached + 1 or not batch.before:
                return "other"
            del self.diverged[batch.source]
            logger.warning("a source goes on from what was applied", service=self.service.name, source=batch.source)
        return found

    def diverge(self, found: Divergence) -> None:
        """Mark a source as diverged: its log is not the one that was applied. No more of it is applied."""
        if found.source in self.positions:
            if found.source not in self.diverged:
                logger.critical("a source is not the log that was applied", finding=str(found))
            self.diverged[found.source] = found

    def store_source_statuses(self) -> None:
        """Store what is wrong with each source, if that has changed, for `kameng status` and the API. Raises
        DBAPIError."""
        self._source_statuses.store(self.engine, self.diverged, self.unknown)

    def hash_agrees(self, source: str, position: int, hash_: bytes) -> bool:
        """Store the hash of a source's chain at the applied position, if none is known yet. Returns False when another
        hash is known."""
        if not hash_ or self.positions.get(source) != position:
            return True
        if not self.hashes.get(source):
            self.hashes[source] = hash_
        return self.hashes[source] == hash_

    def contest(self, found: Divergence) -> None:
        """A reader knows other events than this log holds: the writer stops deciding."""
        if found.reader not in self.contested:
            logger.critical("nothing is decided: a reader knows other events than this log holds", finding=str(found))
        self.contested[found.reader] = found

    def compare(self, reader: str, reached: ReaderPosition) -> Divergence | None:
        """Compare a reader's position with the log in the database. A difference is returned, and halts the writer.
        Raises DBAPIError."""
        with self.engine.connect() as connection:
            found = divergence(connection, reader, self.service.name, reached)
        if found is not None:
            self.contest(found)
        else:
            self.contested.pop(reader, None)
        return found

    def is_relevant(self, recorded: RecordedEvent) -> bool:
        """Whether a foreign event concerns this service. An event that cannot be read does: its handling fails, so it
        is parked."""
        if recorded.name not in self.heard:
            return False
        want = self._wants.get(recorded.name)
        try:
            return want is None or want(recorded.event)
        except (ValueError, LookupError):
            return True

    def _has_relevant(self, batch: EventBatch) -> bool:
        reached = self.positions[batch.source]
        return any(
            recorded.position > reached and (self.is_relevant(recorded) or not is_event(recorded.name))
            for recorded in batch.events
        )

    @property
    def is_ahead(self) -> bool:
        """Whether the database lacks positions that are applied in memory: after a crash these batches come again."""
        return self.positions != self.stored

    @property
    def reached(self) -> dict[str, int]:
        """The applied position of each log, this service's own included."""
        return {**self.positions, self.service.name: self.head.position}

    def decides(self, command: Command) -> bool:
        """Whether this service decides such commands."""
        return type(command) in self._decided

    def stream_of(self, command: Command) -> str:
        """The stream that a command is decided on. Raises LookupError when this service does not decide it."""
        return f"{self.aggregate_for(type(command)).name}-{command.partition_key()}"

    def projects(self, recorded: RecordedEvent) -> bool:
        """Whether the projection folds this own event."""
        return self._own_event_names is None or recorded.name in self._own_event_names

    def react(self, recorded: RecordedEvent) -> list[Command]:
        """The own commands that the reactions answer an event with."""
        reaction = self._reactions.get(recorded.name)
        return list(reaction(recorded.event)) if reaction else []

    def meta_after(self, recorded: RecordedEvent) -> Metadata:
        """The metadata of the commands and scheduled items that an event causes."""
        return recorded.meta.leading_on(recorded.id, self._actor)
