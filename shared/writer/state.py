"""Everything that a decision is made with: the service's declaration, states, tables, agenda, what is remembered."""

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
    """One service's working memory over its database, as the transaction at hand sees it.

    Inside `at(connection)` it may be read and changed; `flush` writes the changes. Then `committed`, or after a
    rollback `forget`, after which `recover` believes the database only.

    `positions` tells how far each log is applied, `hashes` what its chain is there (empty where not known), `stored`
    how far the database knows that it is. `diverged` names the sources that are not the logs that were applied here,
    `contested` the readers that know other events of this service's log; `unknown` has what was met of events of types
    that this code does not know.
    """

    def __init__(self, service: Service, engine: sa.Engine, context: HostContext) -> None:
        self.service, self.engine, self.ports = service, engine, context.ports
        self.outside = service.outside(context)
        self.shop = context.settings.shop()
        self._actor = f"system:{service.name}"
        self.heard = {event.__name__ for event in (*service.reactions, *service.projects)}
        self._wants = {event.__name__: want for event, want in service.wants.items()}
        self.projected = {event.__name__ for event in service.projects}
        self._own = service.tables.own()
        self._reactions = {event.__name__: reaction for event, reaction in service.reactions.items()}
        self._decided = {command for aggregate in service.aggregates for command in aggregate.commands}
        self.aggregate_for = cache(service.aggregate_for)
        self._connected: sa.Connection | None = None
        self.tables: Projection = service.tables(self._connection)
        self.remembered = RowCache(schema.commands, self._connection, keep=10_000)
        self.agenda = Scheduler(self._connection)
        self.parked = ParkedMessages(self._connection, partial(tracing.parked, service.name))
        self.spans = tracing.Decisions(service.name)
        aggregate_types = {
            aggregate.name: AggregateType(aggregate.initial, aggregate.evolve) for aggregate in service.aggregates
        }
        self.memory = AggregateCache(service.name, aggregate_types, self._connection)
        self.positions: dict[str, int] = {}
        self.hashes: dict[str, bytes] = {}
        self.diverged: dict[str, Divergence] = {}
        self.contested: dict[str, Divergence] = {}
        self.unknown = UnknownEvents(service.name)
        self._told = SourceStatuses()
        self._tolerance = timedelta(seconds=context.settings.clock_tolerance_seconds)
        self.stored: dict[str, int] = {}
        self._passed = 0
        self.head = log.Head(0, self.ports.now(), log.GENESIS)
        self._epoch = self.head.epoch
        self._parts = (self.remembered, self.tables, self.memory, self.agenda, self.parked, self.spans)
        self._rolled_back = self._in_doubt = False
        self.full, self._room_looked_for = "", 0.0
        self._kept: list[Input] = []

    def _connection(self) -> sa.Connection:
        if self._connected is None:
            raise RuntimeError("tables are read and written inside a unit of work only")
        return self._connected

    def start(self) -> None:
        """Create what is missing in the database, and take up where the last writer stopped, who is fenced from now.

        Raises log.Incomplete for a database that has lost what no log brings back.
        """
        with self.engine.begin() as connection:
            log.require_whole(connection, self.service.name)
            log.create(connection, self.service.sources())
            self.service.tables.metadata.create_all(connection)
            if self.service.keeps is not None:
                self.service.keeps.create_all(connection)
            versions.begin(connection, self.service.tables)
            expected.begin(connection)
            self._epoch = log.next_epoch(connection)
            self.agenda.load(connection, restarted=True)
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
            self._told = SourceStatuses({source: reached.ailing for source, reached in found.items()})
        self.stored = stored
        self.parked.load(connection)

    @contextmanager
    def at(self, connection: sa.Connection) -> Iterator[None]:
        """Read and write through this connection."""
        self._connected = connection
        try:
            yield
        finally:
            self._connected = None

    def flush(self) -> None:
        """Write what has changed, but for the log itself, inside the transaction."""
        for part in self._parts:
            part.flush()

    def committed(self, head: log.Head, positions: dict[str, int], hashes: dict[str, bytes]) -> None:
        """The transaction is durable: the log ends at `head`, and sources are applied up to `positions`, where their
        chains have these `hashes`."""
        self.head = head
        self.positions.update(positions)
        self.hashes.update(hashes)
        self.stored.update(positions)
        self._passed = 0
        for part in self._parts:
            part.committed()

    def forget(self, *, in_doubt: bool) -> None:
        """The transaction was rolled back; `in_doubt` when it may be otherwise, or another writer was here."""
        for part in self._parts:
            part.forget()
        self._rolled_back = True
        self._in_doubt |= in_doubt

    def recover(self) -> None:
        """After a rollback, believe the database only. In doubt whether a commit was one, or whether another writer
        was here, this holds for states and the agenda as well."""
        if not self._rolled_back:
            return
        with self.engine.begin() as connection:
            self._resume(connection)
            if self._in_doubt:
                self.agenda.load(connection, restarted=False)
        if self._in_doubt:
            self.memory.clear()
        self._rolled_back = self._in_doubt = False

    def pass_over(self, inputs: Sequence[Input]) -> bool:
        """Whether these inputs are but slices without anything for this service, and nothing is due: then they are
        applied, and there is nothing to commit now. `is_ahead` until the next commit stores the positions."""
        if self._rolled_back or self._passed >= MOST_PASSED or self.agenda.is_due(self.ports.now()):
            return False
        positions, hashes = dict(self.positions), dict(self.hashes)
        for work in inputs:
            if not isinstance(work, EventBatch) or work.source in self.diverged or self._hears(work):
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

    # Logs that were set back or changed

    @property
    def halted(self) -> str:
        """Why nothing is decided here; empty while all is well."""
        clock = [self.clock_off, self._late]
        if not (self.full or self.contested or any(clock)):
            return ""
        reasons = [self.full, *map(str, self.contested.values()), *clock]
        return "; ".join(reason for reason in reasons if reason)

    @property
    def clock_off(self) -> str:
        """How far the clock is off the one it is compared with, when that is too far; else empty."""
        reference = self.ports.reference()
        off = _off(self.ports.now() - reference, self._tolerance) if reference is not None else ""
        return f"its clock is {off} the one it is compared with" if off else ""

    @property
    def _late(self) -> str:
        off = _off(min(self.ports.now() - self.head.at, timedelta()), self._tolerance) if self.head.position else ""
        return f"its clock is {off} the last event in its log" if off else ""

    def next_due(self) -> str | None:
        """When the agenda's earliest item is due, as text; None when there is none, or nothing is done."""
        return None if self.halted else self.agenda.next_due()

    def is_due(self) -> bool:
        """Whether the time of anything on the agenda has come."""
        return not self.halted and self.agenda.is_due(self.ports.now())

    def continues(self, part: EventBatch, reached: int, known: bytes) -> Continuity:
        """How a slice fits, as `joining.fit` says. One of another log stops its source, until one comes that goes on
        from where this reader is."""
        found = fit(part, reached, known)
        if found == "other":
            self.diverge(Divergence(self.service.name, part.source, reached, max(part.last, reached)))
        elif part.source in self.diverged:
            if part.first != reached + 1 or not part.before:
                return "other"
            del self.diverged[part.source]
            logger.warning("a source goes on from what was applied", service=self.service.name, source=part.source)
        return found

    def diverge(self, found: Divergence) -> None:
        """A source is not the log that was applied here: nothing more of it is."""
        if found.source in self.positions:
            if found.source not in self.diverged:
                logger.critical("a source is not the log that was applied", finding=str(found))
            self.diverged[found.source] = found

    def tell_sources(self) -> None:
        """Store for all who look what is wrong with sources, where that has changed. Raises DBAPIError."""
        self._told.tell(self.engine, self.diverged, self.unknown)

    def learn(self, source: str, position: int, hash_: bytes) -> bool:
        """Take the hash at a position on where it is not known. False where another is."""
        if not hash_ or self.positions.get(source) != position:
            return True
        if not self.hashes.get(source):
            self.hashes[source] = hash_
        return self.hashes[source] == hash_

    def contest(self, found: Divergence) -> None:
        """A reader knows other events than this log holds: nothing is decided any more."""
        if found.reader not in self.contested:
            logger.critical("nothing is decided: a reader knows other events than this log holds", finding=str(found))
        self.contested[found.reader] = found

    def compare(self, reader: str, reached: ReaderPosition) -> Divergence | None:
        """What the log, as the database has it, says to what a reader has applied; what it has against it is
        contested from now on. Raises DBAPIError."""
        with self.engine.connect() as connection:
            found = divergence(connection, reader, self.service.name, reached)
        if found is not None:
            self.contest(found)
        else:
            self.contested.pop(reader, None)
        return found

    def hears(self, recorded: RecordedEvent) -> bool:
        """Whether a foreign event concerns this service. One that can't be read does: handling it tells so."""
        if recorded.name not in self.heard:
            return False
        want = self._wants.get(recorded.name)
        try:
            return want is None or want(recorded.event)
        except (ValueError, LookupError):
            return True

    def _hears(self, part: EventBatch) -> bool:
        reached = self.positions[part.source]
        return any(
            recorded.position > reached and (self.hears(recorded) or not is_event(recorded.name))
            for recorded in part.events
        )

    @property
    def is_ahead(self) -> bool:
        """Whether the positions are further than the database knows: after a crash these slices would come again."""
        return self.positions != self.stored

    @property
    def reached(self) -> dict[str, int]:
        """How far each log is applied, the own one included."""
        return {**self.positions, self.service.name: self.head.position}

    def decides(self, command: Command) -> bool:
        """Whether this service decides such commands."""
        return type(command) in self._decided

    def stream_of(self, command: Command) -> str:
        """The stream that a command is decided on. Raises LookupError for one that this service does not decide."""
        return f"{self.aggregate_for(type(command)).name}-{command.partition_key()}"

    def folds(self, recorded: RecordedEvent) -> bool:
        """Whether the tables fold this own event."""
        return self._own is None or recorded.name in self._own

    def react(self, recorded: RecordedEvent) -> list[Command]:
        """The own commands that an event calls for."""
        reaction = self._reactions.get(recorded.name)
        return list(reaction(recorded.event)) if reaction else []

    def meta_after(self, recorded: RecordedEvent) -> Metadata:
        """The metadata of what an event causes here."""
        return recorded.meta.leading_on(recorded.id, self._actor)
