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
from shared.messages.messages import CommandMessage
from shared.writer.external_calls import Perform
from shared.writer.writer import Writer
from tests.bench.goods import order, stocking
from tests.bench.processes import new_database
from tests.platform.harness import Harness

AT_ONCE = 50
ACTOR = "system:bench"


class Market(Harness):
    """Every service's writer on a database of its own, and nothing that calls out. Use it as a context."""

    def __init__(self, servers: Infrastructure, name: str, var: Path, *, skus: int, keys_each: int) -> None:
        self.urls = {one.name: new_database(servers, f"bench_{name}_{one.name}") for one in all_services()}
        self._skus, self._keys_each, self._numbers = skus, keys_each, count()
        super().__init__(var, all_services(), database_of=self.urls.__getitem__)
        for command in stocking(skus, keys_each, self.secrets, self.ids):
            self.send(command.owner, command)

    def _later(self, writer: Writer) -> Perform:
        return lambda call, done: None

    @property
    def engines(self) -> dict[str, sa.Engine]:
        """Each writer's database."""
        return {name: loop.writer.engine for name, loop in self.loops.items()}

    def restart(self) -> None:
        """As after a crash: every writer anew."""
        self.stop()
        self.start()

    def place(self, commands: Sequence[Command]) -> None:
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
            self.place([order(next(self._numbers), self._skus, self.secrets) for _ in some])
        return orders / (time.perf_counter() - started)

    def completed(self) -> int:
        """How many orders came to their end."""
        return len(self.events("order", OrderCompleted))
