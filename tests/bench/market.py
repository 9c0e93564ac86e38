"""All services in one process on PostgreSQL, turned by hand: sagas without broker, HTTP and waiting."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import sqlalchemy as sa

from deploy.local.infrastructure import Infrastructure
from services import all_services
from shared.contracts import Command, Metadata
from shared.contracts.order import OrderCompleted
from shared.eventstore import log
from shared.eventstore.engines import open_engine
from shared.messages.messages import CommandMessage
from shared.runtime.clock import Clock
from shared.runtime.consumer_loop import ConsumerLoop
from shared.runtime.embedded import catch_up
from shared.runtime.ids import Ids
from shared.runtime.in_process import InProcessMessage, InProcessNetwork
from shared.runtime.service import HostContext
from shared.runtime.settings import Settings
from shared.security.secrets import Secrets
from shared.writer.writer import Writer
from tests.bench.goods import order, stocking
from tests.bench.processes import new_database

AT_ONCE = 50
ACTOR = "system:bench"


class Market:
    """Every service's writer on a database of its own. Use it as a context; `restart` forgets what is in memory."""

    def __init__(self, servers: Infrastructure, name: str, var: Path, *, skus: int, keys_each: int) -> None:
        self.urls = {one.name: new_database(servers, f"bench_{name}_{one.name}") for one in all_services()}
        self.ids, self.secrets = Ids(), Secrets(var / "secrets")
        self._context = HostContext(Settings(var=var), Clock(), self.ids, self.secrets)
        self._skus, self._keys_each, self._numbers = skus, keys_each, count()
        self.engines: dict[str, sa.Engine] = {}
        self.loops: dict[str, ConsumerLoop[InProcessMessage]] = {}

    def __enter__(self) -> Market:
        self._open()
        for command in stocking(self._skus, self._keys_each, self.secrets, self.ids):
            self.send([command])
        return self

    def __exit__(self, *_: object) -> None:
        for engine in self.engines.values():
            engine.dispose()

    def restart(self) -> None:
        """As after a crash: every writer anew."""
        self.__exit__()
        self._open()

    def _open(self) -> None:
        self.network = InProcessNetwork()
        for service in all_services():
            engine = self.engines[service.name] = open_engine(self.urls[service.name], writer=True)
            writer = Writer(service, engine, self._context)
            transport = self.network.attach(service.name, service.sources(), engine)
            self.loops[service.name] = ConsumerLoop(writer, transport, lambda call, done: None)
            writer.start()
        catch_up(self.loops)

    def drain(self) -> None:
        """Until nothing is left to do now."""
        while sum(loop.turn() for loop in self.loops.values()):
            pass

    def send(self, commands: Sequence[Command]) -> None:
        """Have them decided together, and all that follows done. Raises RuntimeError when one was not accepted."""
        futures = []
        for command in commands:
            id_ = self.ids.new_id()
            meta = Metadata(correlation_id=id_, causation_id=id_, actor=ACTOR)
            futures.append(self.network.ask(command.owner, CommandMessage(id_, command, meta)))
        self.drain()
        if refused := [reply for future in futures if (reply := future.result()).outcome != "accepted"]:
            raise RuntimeError(f"not accepted: {refused[0]}")

    def sell(self, orders: int) -> float:
        """Have so many orders placed, AT_ONCE a time, to their end. Orders a second."""
        started = time.perf_counter()
        for first in range(0, orders, AT_ONCE):
            some = range(first, min(orders, first + AT_ONCE))
            self.send([order(next(self._numbers), self._skus, self.secrets) for _ in some])
        return orders / (time.perf_counter() - started)

    def head(self, service: str) -> int:
        """Where a service's log ends."""
        with self.engines[service].connect() as connection:
            return log.read_head(connection).position

    def completed(self) -> int:
        """How many orders came to their end."""
        events = log.read_all(self.engines["order"], "order")
        return sum(recorded.name == OrderCompleted.__name__ for recorded in events)
