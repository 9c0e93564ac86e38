"""Everything that a decision is made with: the service's declaration, states, tables, agenda, what is remembered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import sqlalchemy as sa

from shared.contracts import Command, Metadata
from shared.eventlog import log, schema
from shared.eventlog.agenda import Agenda
from shared.eventlog.memory import Folding, Memory
from shared.eventlog.parking import Parking
from shared.eventlog.recorded import Recorded
from shared.eventlog.tables import Rows, Tables
from shared.hosting.service import Service, Surroundings


class Desk:
    """One service's working memory over its database, as the transaction at hand sees it.

    Inside `at(connection)` it may be read and changed; `flush` writes the changes. Then `committed`, or after a
    rollback `forget`, after which `recover` believes the database only.
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
        self._epoch = self.head.epoch
        self._parts = (self.remembered, self.tables, self.memory, self.agenda, self.parked)
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
            self._epoch = log.next_epoch(connection)
            self.agenda.load(connection, restarted=True)
            self._resume(connection)

    def _resume(self, connection: sa.Connection) -> None:
        self.head = replace(log.read_head(connection), epoch=self._epoch)
        rows = connection.execute(sa.select(schema.readers.c.source, schema.readers.c.position))
        self.positions = {source: position for source, position in rows if source in self.service.sources()}
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

    @property
    def reached(self) -> dict[str, int]:
        """How far each log is applied, the own one included."""
        return {**self.positions, self.service.name: self.head.position}

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
