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
from shared.runtime.consumer_loop import ConsumerLoop, make_call
from shared.runtime.in_process import InProcessBus
from shared.runtime.ports import Ports
from shared.runtime.service import HostContext, Service
from shared.runtime.settings import Settings
from shared.scheduler.scheduler import DueCall
from shared.security.secrets import Secrets
from shared.writer.writer import Writer

START = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)
PATIENCE = 60.0
"""How many seconds a call to a sandbox may take where no test is about one that takes too long."""


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
        self.ports = Ports(now=lambda: self.now)
        self.secrets = Secrets(folder / "secrets")
        self.bus = InProcessBus()
        self.runners: dict[str, ConsumerLoop] = {}
        self._calls: deque[tuple[ConsumerLoop, DueCall]] = deque()
        surroundings = HostContext(self.settings, self.ports, self.secrets)
        for service in services:
            url = f"sqlite:///{folder / service.name}.sqlite3"
            writer = Writer(service, open_engine(url, writer=True), surroundings)
            runner = ConsumerLoop(writer, self.bus, self._later(service.name))
            self.runners[service.name] = runner
            self.bus.attach(service.name, runner.accept, open_engine(url, writer=False), writer.contest)
        known = {runner: set(runner.writer.service.sources()) & set(self.runners) for runner in self.runners.values()}
        for runner in self.runners.values():
            runner.start()
        if all(len(sources) == len(runner.writer.service.sources()) for runner, sources in known.items()):
            for runner in self.runners.values():
                runner.compare()
        for runner, sources in known.items():
            for source in sources:
                runner.catch_up(source)
        self.drain()

    def _later(self, name: str) -> Callable[[DueCall], None]:
        return lambda call: self._calls.append((self.runners[name], call))

    def send(
        self, service: str, command: Command, *, id_: str = "", actor: str = "system:test", drain: bool = True
    ) -> Reply:
        """Send a command; by default everything that follows from it is done before this returns."""
        id_ = id_ or self.ports.new_id()
        meta = Metadata(correlation_id=id_, causation_id=id_, actor=actor)
        future = self.bus.send(service, CommandMessage(id_, command, meta))
        while not future.done():
            self.runners[service].turn()
        if drain:
            self.drain()
        return future.result()

    def drain(self) -> None:
        """Turn every runner and make every call until nothing is left to do now."""
        busy = True
        while busy:
            moved = [runner.turn() for runner in self.runners.values()]
            busy = any(moved)
            if self._calls:
                runner, call = self._calls.popleft()
                runner.offer(make_call(runner.writer, call))
                busy = True

    def advance(self, seconds: float) -> None:
        """Let time pass, and do what falls due."""
        self.now += timedelta(seconds=seconds)
        self.drain()

    def events(self, service: str, *types: type[Event]) -> list[Event]:
        """The events of a service's log, all or those of the given types."""
        found = [recorded.event for recorded in log.read_all(self.runners[service].writer.engine, service)]
        return [event for event in found if isinstance(event, types)] if types else found

    def parked(self) -> int:
        """How many messages are parked anywhere."""
        return sum(runner.writer.parked.count() for runner in self.runners.values())
