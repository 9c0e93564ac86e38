"""Everything that a decision is made with: the service's declaration, states, tables, agenda, what is remembered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial

import sqlalchemy as sa

from shared.contracts import Command, Metadata
from shared.eventlog import log, schema
from shared.eventlog.agenda import Agenda
from shared.eventlog.memory import Folding, Memory
from shared.eventlog.parking import Parking
from shared.eventlog.recorded import Recorded
from shared.eventlog.tables import Rows, Tables
from shared.hosting.service import Service, Surroundings
from shared.hosting.work import Work
from shared.messaging.port import Slice
from shared.telemetry import tracing

MOST_PASSED = 50


class Desk:
    """One service's working memory over its database, as the transaction at hand sees it.

    Inside `at(connection)` it may be read and changed; `flush` writes the changes. Then `committed`, or after a
    rollback `forget`, after which `recover` believes the database only.

    `positions` tells how far each log is applied, `stored` how far the database knows that it is.
    """

    def __init__(self, service: Service, engine: sa.Engine, surroundings: Surroundings) -> None:
        self.service, self.engine, self.ports = service, engine, surroundings.ports
        self.outside = service.outside(surroundings)
        self._actor = f"system:{service.name}"
        self.heard = {event.__name__ for event in (*service.reactions, *service.projects)}
        self.projected = {event.__name__ for event in service.projects}
        self._own = service.tables.own()
        self._reactions = {event.__name__: reaction for event, reaction in service.reactions.items()}
        self._decided = {command for aggregate in service.aggregates for command in aggregate.commands}
        self.aggregate_for = cache(service.aggregate_for)
        self._connected: sa.Connection | None = None
        self.tables: Tables = service.tables(self._connection)
        self.remembered = Rows(schema.commands, self._connection, keep=10_000)
        self.agenda = Agenda(self._connection, self.ports.new_id)
        self.parked = Parking(self._connection, partial(tracing.parked, service.name))
        self.spans = tracing.Decisions(service.name)
        foldings = {aggregate.name: Folding(aggregate.initial, aggregate.evolve) for aggregate in service.aggregates}
        self.memory = Memory(service.name, foldings, self._connection)
        self.positions: dict[str, int] = {}
        self.stored: dict[str, int] = {}
        self._passed = 0
        self.head = log.Head(0, self.ports.now(), log.GENESIS)
        self._epoch = self.head.epoch
        self._parts = (self.remembered, self.tables, self.memory, self.agenda, self.parked, self.spans)
        self._rolled_back = self._in_doubt = False

    def _connection(self) -> sa.Connection:
        if self._connected is None:
            raise RuntimeError("tables are read and written inside a unit of work only")
        return self._connected

    def start(self) -> None:
        """Create what is missing in the database, and take up where the last writer stopped, who is fenced from now."""
        with self.engine.begin() as connection:
            log.create(connection, self.service.sources())
            self.service.tables.metadata.create_all(connection)
            if self.service.keeps is not None:
                self.service.keeps.create_all(connection)
            self._epoch = log.next_epoch(connection)
            self.agenda.load(connection, restarted=True)
            self._resume(connection)

    def _resume(self, connection: sa.Connection) -> None:
        self.head = replace(log.read_head(connection), epoch=self._epoch)
        rows = connection.execute(sa.select(schema.readers.c.source, schema.readers.c.position))
        stored = {source: position for source, position in rows if source in self.service.sources()}
        if self._in_doubt or stored != self.stored:
            self.positions = dict(stored)
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

    def committed(self, head: log.Head, positions: dict[str, int]) -> None:
        """The transaction is durable: the log ends at `head`, and sources are applied up to `positions`."""
        self.head = head
        self.positions.update(positions)
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

    def pass_over(self, works: Sequence[Work]) -> bool:
        """Whether these works are but slices without anything for this service, and nothing is due: then they are
        applied, and there is nothing to commit now. `is_ahead` until the next commit stores the positions."""
        if self._rolled_back or self._passed >= MOST_PASSED or self.agenda.is_due(self.ports.now()):
            return False
        positions = dict(self.positions)
        for work in works:
            if not isinstance(work, Slice) or work.first > positions[work.source] + 1 or self._hears(work):
                return False
            positions[work.source] = max(positions[work.source], work.last)
        self._passed += 1
        self.positions = positions
        return True

    def _hears(self, part: Slice) -> bool:
        reached = self.positions[part.source]
        return any(recorded.name in self.heard and recorded.position > reached for recorded in part.events)

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

    def folds(self, recorded: Recorded) -> bool:
        """Whether the tables fold this own event."""
        return self._own is None or recorded.name in self._own

    def react(self, recorded: Recorded) -> list[Command]:
        """The own commands that an event calls for."""
        reaction = self._reactions.get(recorded.name)
        return list(reaction(recorded.event)) if reaction else []

    def meta_after(self, recorded: Recorded) -> Metadata:
        """The metadata of what an event causes here."""
        return recorded.meta.leading_on(recorded.id, self._actor)
