"""Services in one thread, on a clock that moves when told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from shared.contracts import Command, Metadata
from shared.eventstore.engines import open_engine
from shared.messages.messages import CommandMessage, Reply
from shared.runtime.clock import Clock
from shared.runtime.consumer_loop import ConsumerLoop, make_call
from shared.runtime.embedded import catch_up, database_url
from shared.runtime.ids import Ids
from shared.runtime.in_process import InProcessMessage, InProcessNetwork
from shared.runtime.service import HostContext, Service
from shared.runtime.settings import Settings
from shared.scheduler.scheduler import DueCall
from shared.writer.external_calls import CallResult, Perform
from shared.writer.writer import Writer
from tests.platform.platform import Platform

START = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)


class Harness(Platform):
    """`send` a command and get its reply, `drain` until nothing moves, `advance` the clock.

    Calls to the outside world are made for real, one after the other, while draining. A new Harness on the same
    folder is a restart. `database_of` tells the URL of a service's database: by default, of a file in the folder.
    """

    def __init__(
        self,
        folder: Path,
        services: Sequence[Service],
        *,
        settings: Settings | None = None,
        now: datetime = START,
        database_of: Callable[[str], str | sa.URL] | None = None,
    ) -> None:
        super().__init__(folder, services)
        self._now, self.folder = now, folder
        self.settings = settings or Settings(var=folder)
        self.clock = Clock(lambda: self._now)
        self.ids = Ids(self.clock.now)
        self._database_of = database_of or (lambda service: database_url(folder, service))
        self.start()

    def start(self) -> None:
        """Start every writer, anew if it ran before: what was only in memory is forgotten."""
        self.network = InProcessNetwork()
        self.loops: dict[str, ConsumerLoop[InProcessMessage]] = {}
        self._reads: dict[str, sa.Engine] = {}
        self._calls: deque[tuple[Writer, DueCall, Callable[[CallResult], None]]] = deque()
        context = HostContext(self.settings, self.clock, self.ids, self.secrets)
        for service in self.services:
            url = self._database_of(service.name)
            writer = Writer(service, open_engine(url, writer=True), context)
            reads = self._reads[service.name] = open_engine(url, writer=False)
            transport = self.network.attach(service.name, service.sources(), reads)
            readers = [one.name for one in self.services if service.name in one.sources()]
            self.loops[service.name] = ConsumerLoop(
                writer, transport, self._later(writer), readers=readers, monotonic=lambda: self._now.timestamp()
            )
        for loop in self.loops.values():
            loop.writer.start()
        catch_up(self.loops)
        self.drain()

    def stop(self) -> None:
        for name, loop in self.loops.items():
            loop.writer.engine.dispose()
            self._reads[name].dispose()

    @property
    def now(self) -> datetime:
        return self._now

    @contextmanager
    def database(self, service: str) -> Iterator[sa.Engine]:
        yield self._reads[service]

    def _later(self, writer: Writer) -> Perform:
        return lambda call, done: self._calls.append((writer, call, done))

    def send(
        self, service: str, command: Command, *, id_: str = "", actor: str = "system:test", drain: bool = True
    ) -> Reply:
        """Send a command; by default everything that follows from it is done before this returns."""
        id_ = id_ or self.ids.new_id()
        meta = Metadata(correlation_id=id_, causation_id=id_, actor=actor)
        future = self.network.ask(service, CommandMessage(id_, command, meta))
        while not future.done():
            self.loops[service].turn()
        if drain:
            self.drain()
        return future.result()

    def drain(self) -> None:
        """Turn every loop and make every call until nothing is left to do now."""
        busy = True
        while busy:
            moved = [loop.turn() for loop in self.loops.values()]
            busy = any(moved)
            if self._calls:
                writer, call, done = self._calls.popleft()
                done(make_call(writer, call))
                busy = True

    def advance(self, seconds: float) -> None:
        """Let time pass, and do what falls due."""
        self._now += timedelta(seconds=seconds)
        self.drain()
