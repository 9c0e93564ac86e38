"""The writer: the only one that decides for a service and appends to its log. It has no thread and no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
import structlog

from shared.contracts import Command, Metadata
from shared.eventlog import log, schema
from shared.eventlog.agenda import Agenda
from shared.eventlog.memory import Folding, Memory
from shared.eventlog.parking import Parking
from shared.eventlog.recorded import Recorded
from shared.eventlog.tables import Rows, Tables
from shared.hosting.service import EffectFailed, Service, Surroundings
from shared.hosting.unit import Guilty, Unit, is_outage
from shared.hosting.work import Due, Outcome, Work, joined, ref_of, split
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
        self._rolled_back = self._in_doubt = False

    def _connection(self) -> sa.Connection:
        if self._connected is None:
            raise RuntimeError("tables are read and written inside a unit of work only")
        return self._connected

    def start(self) -> None:
        """Create what is missing in the database, and take up where the last writer stopped."""
        with self.engine.begin() as connection:
            log.create(connection, self.service.sources())
            self.service.tables.metadata.create_all(connection)
            self.agenda.load(connection, restarted=True)
            self._resume(connection)

    def _resume(self, connection: sa.Connection) -> None:
        self.head = log.read_head(connection)
        rows = connection.execute(sa.select(schema.readers.c.source, schema.readers.c.position))
        self.positions = {source: position for source, position in rows if source in self.service.sources()}
        self.parked.load(connection)

    def process(self, works: Sequence[Work]) -> Outcome:
        """One group commit of everything given, in order, and of what the agenda has due."""
        return self._process([*works, Due()], {})

    def _process(self, works: Sequence[Work], condemned: dict[str, str]) -> Outcome:
        tries: Counter[str] = Counter()
        while True:
            try:
                return self._attempt(works, condemned)
            except Guilty as guilty:
                tries[guilty.ref] += 1
                if tries[guilty.ref] >= TRIES:
                    error = describe(guilty.__cause__)
                    logger.error("message parked", service=self.service.name, ref=guilty.ref, error=error)
                    condemned[guilty.ref] = error
            except Exception as error:
                if isinstance(error, log.Fenced) or is_outage(error):
                    raise
                parts = works if len(works) > 1 else split(works[0])
                if len(parts) > 1:
                    return self._process_halves(parts)
                ref, message = ref_of(parts[0]), describe(error)
                if ref in condemned:
                    raise
                logger.error("message parked", service=self.service.name, ref=ref, error=message)
                condemned[ref] = message

    def _process_halves(self, works: Sequence[Work]) -> Outcome:
        """The whole can't be written and nobody knows why: what can't be written alone is the cause."""
        middle = len(works) // 2
        return joined(self._process(works[:middle], {}), self._process(works[middle:], {}))

    def _attempt(self, works: Iterable[Work], condemned: dict[str, str]) -> Outcome:
        self._recover()
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
        except BaseException as error:
            self._forget(in_doubt=not isinstance(error, Guilty))
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

    def _forget(self, *, in_doubt: bool) -> None:
        self.remembered.forget()
        for part in (self.tables, self.memory, self.agenda, self.parked):
            part.forget()
        self._rolled_back = True
        self._in_doubt |= in_doubt

    def _recover(self) -> None:
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

    def stream_of(self, command: Command) -> str:
        """The stream that a command is decided on."""
        return f"{self.service.aggregate_for(type(command)).name}-{command.partition_key()}"

    def decides(self, command: Command) -> bool:
        """Whether this service decides such commands."""
        return any(type(command) in aggregate.commands for aggregate in self.service.aggregates)

    def react(self, recorded: Recorded) -> list[Command]:
        """The own commands that an event calls for."""
        if recorded.name not in self._reacting:
            return []
        return list(self.service.reactions[type(recorded.event)](recorded.event))

    def meta_after(self, recorded: Recorded) -> Metadata:
        """The metadata of what an event causes here."""
        actor = f"system:{self.service.name}"
        return recorded.meta.model_copy(update={"causation_id": recorded.id, "actor": actor})


def describe(error: BaseException | None) -> str:
    """An error for people, without the values that it was about: they may be secret. An EffectFailed tells its own."""
    if error is None:
        return "unknown"
    if isinstance(error, EffectFailed):
        return str(error)
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append(f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__name__} at {' > '.join(frames[-3:])}"
