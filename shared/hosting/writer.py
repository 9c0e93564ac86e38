"""The writer: the only one that decides for a service and appends to its log. It has no thread and no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from shared.contracts import Command, Metadata
from shared.eventlog import log, schema
from shared.eventlog.agenda import Agenda
from shared.eventlog.memory import Folding, Memory
from shared.eventlog.parking import Parking
from shared.eventlog.recorded import Recorded
from shared.eventlog.tables import Rows, Tables
from shared.hosting.service import Service, Surroundings
from shared.hosting.unit import Guilty, Unit
from shared.hosting.work import Outcome, Work, joined, ref_of, split
from shared.messaging.port import Slice

TRIES = 3
logger = structlog.get_logger()


class Writer:
    """Decides for one service on one database.

    `process` is one group commit: it takes whatever has arrived, decides each message in memory, and writes reader
    positions, events, tables, agenda, command ids and head in one transaction. A message that can't be handled is
    tried again, then parked; the others of its batch are not held up. Errors of the database are raised, with nothing
    changed: offer the same work again. Raises log.Fenced when another writer was here.
    """

    def __init__(self, service: Service, engine: sa.Engine, surroundings: Surroundings) -> None:
        self.service, self.engine, self.ports = service, engine, surroundings.ports
        self.outside = service.outside(surroundings)
        self.heard = {event.__name__ for event in (*service.reactions, *service.projects)}
        self.projected = {event.__name__ for event in service.projects}
        self._reacting = {event.__name__ for event in service.reactions}
        self._connected: sa.Connection | None = None
        self.tables: Tables = service.tables(self._connection)
        self.remembered = Rows(schema.commands, self._connection, keep=10_000)
        self.agenda = Agenda(self._connection, self.ports.new_id)
        self.parked = Parking(self._connection)
        foldings = {aggregate.name: Folding(aggregate.initial, aggregate.evolve) for aggregate in service.aggregates}
        self.memory = Memory(service.name, foldings, self._connection)
        self.positions: dict[str, int] = {}
        self.head = log.Head(0, self.ports.now(), log.GENESIS)

    def _connection(self) -> sa.Connection:
        if self._connected is None:
            raise RuntimeError("tables are read and written inside a unit of work only")
        return self._connected

    def start(self) -> None:
        """Create what is missing in the database, and take up where the last writer stopped."""
        with self.engine.begin() as connection:
            log.create(connection, self.service.sources())
            self.service.tables.metadata.create_all(connection)
            self.agenda.load(connection)
            self._resume(connection)

    def _resume(self, connection: sa.Connection) -> None:
        self.head = log.read_head(connection)
        rows = connection.execute(sa.select(schema.readers.c.source, schema.readers.c.position))
        self.positions = {source: position for source, position in rows if source in self.service.sources()}
        self.parked.load(connection)

    def process(self, works: Sequence[Work]) -> Outcome:
        """One group commit of everything given, in order."""
        tries: Counter[str] = Counter()
        condemned: dict[str, str] = {}
        while True:
            try:
                return self._attempt(works, condemned)
            except Guilty as guilty:
                tries[guilty.ref] += 1
                if tries[guilty.ref] >= TRIES:
                    error = describe(guilty.__cause__)
                    logger.error("message parked", service=self.service.name, ref=guilty.ref, error=error)
                    condemned[guilty.ref] = error
            except (log.Fenced, OperationalError, InterfaceError):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not hold up the rest
                return self._process_halves(works, error)

    def _process_halves(self, works: Sequence[Work], error: Exception) -> Outcome:
        """The whole can't be written and nobody knows why: find out by parts, and park what can't be written alone."""
        parts = works if len(works) > 1 else split(works[0])
        if len(parts) == 1:
            message = describe(error)
            logger.error("message parked", service=self.service.name, ref=ref_of(parts[0]), error=message)
            return self._attempt(parts, {ref_of(parts[0]): message})
        middle = len(parts) // 2
        return joined(self.process(parts[:middle]), self.process(parts[middle:]))

    def _attempt(self, works: Iterable[Work], condemned: dict[str, str]) -> Outcome:
        now = max(self.ports.now(), self.head.at)
        unit = Unit(self, now, condemned)
        try:
            with self.engine.begin() as connection:
                self._connected = connection
                unit.run(works)
                for source, (before, after) in unit.moved.items():
                    log.move_reader(connection, source, before, after)
                self.remembered.flush()
                self.tables.flush()
                self.memory.flush()
                self.agenda.flush()
                self.parked.flush()
                head = log.append(connection, self.head, unit.events)
        except BaseException:
            self._forget()
            raise
        finally:
            self._connected = None
        self._committed(unit, head)
        return unit.outcome

    def _committed(self, unit: Unit, head: log.Head) -> None:
        if unit.events:
            first, last = unit.events[0].position, head.position
            unit.outcome.published = Slice(self.service.name, first, last, unit.events)
        self.head = head
        self.positions.update({source: after for source, (_, after) in unit.moved.items()})
        self.remembered.trim()
        for part in (self.tables, self.memory, self.agenda, self.parked):
            part.committed()

    def _forget(self) -> None:
        self.remembered.forget()
        for part in (self.tables, self.memory, self.agenda, self.parked):
            part.forget()
        with self.engine.begin() as connection:
            self._resume(connection)

    def stream_of(self, command: Command) -> str:
        """The stream that a command is decided on."""
        return f"{self.service.aggregate_for(type(command)).name}-{command.partition_key()}"

    def react(self, recorded: Recorded) -> list[Command]:
        """The own commands that an event calls for."""
        if recorded.name not in self._reacting:
            return []
        return list(self.service.reactions[type(recorded.event)](recorded.event))

    def meta_after(self, recorded: Recorded) -> Metadata:
        """The metadata of what an event causes here."""
        actor = f"system:{self.service.name}"
        return recorded.meta.model_copy(update={"causation_id": recorded.id, "actor": actor})

    def discard(self, parked_id: str) -> bool:
        """Drop a parked message for good, by a person's decision. False when it is not the oldest of its key."""
        with self.engine.begin() as connection:
            self._connected = connection
            try:
                row = self.parked.oldest(parked_id)
                if row is not None:
                    self.parked.leave(row)
                    self.parked.flush()
            finally:
                self._connected = None
        return row is not None


def describe(error: BaseException | None) -> str:
    """An error for people, without the values that it was about: they may be secret."""
    if error is None:
        return "unknown"
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append(f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__name__} at {' > '.join(frames[-3:])}"
