"""All services in one thread, on SQLite files and a clock that moves when told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.contracts import Command, Event, Metadata
from shared.eventstore import log
from shared.eventstore.engines import open_engine
from shared.messages.messages import CommandMessage, Reply
from shared.runtime.clock import Clock
from shared.runtime.consumer_loop import ConsumerLoop, make_call
from shared.runtime.embedded import catch_up
from shared.runtime.ids import Ids
from shared.runtime.in_process import InProcessMessage, InProcessNetwork
from shared.runtime.service import HostContext, Service
from shared.runtime.settings import Settings
from shared.scheduler.scheduler import DueCall
from shared.security.secrets import Secrets
from shared.writer.external_calls import CallResult, Perform
from shared.writer.writer import Writer
from tests.waiting import PATIENCE

__all__ = ["PATIENCE", "START", "Harness"]

START = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)


class Harness:
    """`send` a command and get its reply, `drain` until nothing moves, `advance` the clock.

    Calls to the outside world are made for real, one after the other, while draining. A new Harness on the same
    folder is a restart.
    """

    def __init__(
        self, folder: Path, services: Sequence[Service], *, settings: Settings | None = None, now: datetime = START
    ) -> None:
        self.now, self.folder = now, folder
        self.settings = settings or Settings(var=folder)
        self.clock = Clock(lambda: self.now)
        self.ids = Ids(self.clock.now)
        self.secrets = Secrets(folder / "secrets")
        self.network = InProcessNetwork()
        self.loops: dict[str, ConsumerLoop[InProcessMessage]] = {}
        self._calls: deque[tuple[Writer, DueCall, Callable[[CallResult], None]]] = deque()
        context = HostContext(self.settings, self.clock, self.ids, self.secrets)
        for service in services:
            url = f"sqlite:///{folder / service.name}.sqlite3"
            writer = Writer(service, open_engine(url, writer=True), context)
            reads = open_engine(url, writer=False)
            transport = self.network.attach(service.name, service.sources(), reads)
            readers = [one.name for one in services if service.name in one.sources()]
            self.loops[service.name] = ConsumerLoop(
                writer, transport, self._later(writer), readers=readers, monotonic=lambda: self.now.timestamp()
            )
        for loop in self.loops.values():
            loop.writer.start()
        catch_up(self.loops)
        self.drain()

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
        self.now += timedelta(seconds=seconds)
        self.drain()

    def events(self, service: str, *types: type[Event]) -> list[Event]:
        """The events of a service's log, all or those of the given types."""
        found = [recorded.event for recorded in log.read_all(self.loops[service].writer.engine, service)]
        return [event for event in found if isinstance(event, types)] if types else found

    def parked(self) -> int:
        """How many messages are parked anywhere."""
        return sum(loop.writer.parked.count() for loop in self.loops.values())
