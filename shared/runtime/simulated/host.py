"""The simulated host: all services with their stores, log servers and processes, in one thread."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import sqlalchemy as sa

from shared.contracts import Command, Metadata
from shared.eventstore import log, log_reader, schema
from shared.eventstore.recorded import RecordedEvent
from shared.messages.messages import CommandMessage
from shared.messages.topology import inbox
from shared.runtime.clock import Clock
from shared.runtime.ids import Ids
from shared.runtime.service import HostContext, Service
from shared.runtime.settings import Settings
from shared.runtime.simulated.client import Done, SimulatedClient
from shared.runtime.simulated.faults import Fate, Faults
from shared.runtime.simulated.log_server import SimulatedLogServer
from shared.runtime.simulated.luck import Luck
from shared.runtime.simulated.network import SimulatedNetwork
from shared.runtime.simulated.process import SimulatedMachine, SimulatedProcess
from shared.runtime.simulated.store import SimulatedStore
from shared.runtime.simulated.timeline import Timeline
from shared.security.secrets import Secrets

LOOK = timedelta(seconds=0.5)
WHILE_SECONDS, RESTART_SECONDS, JUMP_SECONDS, CUT_SECONDS = 10.0, 1.0, 60.0, 20.0
LEAP_SECONDS = 86_400.0


class SimulatedSecrets(Secrets):
    """Secrets that the seed determines, without files."""

    def __init__(self, luck: Luck) -> None:
        super().__init__(Path("nowhere"))
        self._luck = luck

    def _read_or_create(self, name: str) -> bytes:
        return self._luck.fork(name).randbytes(32)


_idle: dict[str, list[SimulatedStore]] = defaultdict(list)


def _store(service: Service) -> SimulatedStore:
    """A store that no other run is using."""
    idle = _idle[service.name]
    return (
        idle.pop() if idle else SimulatedStore((service.projection.metadata, *service.kept_tables()), service.sources())
    )


class Simulated:
    """Use it as a context manager. `transport` answers the HTTP requests of the services' adapters.

    `committed(recorded)` is called with every event, in the order of its log, as soon as it is durable.
    """

    def __init__(
        self,
        services: Sequence[Service],
        luck: Luck,
        faults: Faults,
        settings: Settings,
        transport: httpx.BaseTransport,
        committed: Callable[[RecordedEvent], object] = lambda recorded: None,
    ) -> None:
        self.timeline, self.luck, self.settings = Timeline(), luck, settings
        self.secrets = SimulatedSecrets(luck.fork("secrets"))
        self.fate = Fate(faults, luck.fork("faults"))
        self.clock = Clock(self.timeline.now)
        self.ids = Ids(self.timeline.now, luck.fork("ids").randbytes)
        self.network = SimulatedNetwork(self.timeline, luck.fork("network"), self.fate)
        self.services = tuple(services)
        self.stores = {service.name: _store(service) for service in services}
        self._written: dict[str, None] = {}
        for name, store in self.stores.items():
            store.reset(self.fate, lambda name=name: self._written.setdefault(name))
        self.processes: dict[str, SimulatedProcess] = {}
        self.restarts = 0
        self._committed, self._client_of = committed, partial(httpx.Client, transport=transport)
        self._seen = {service.name: 0 for service in services}
        self._skews = {service.name: timedelta() for service in services}
        self._client = SimulatedClient(self.network, self.timeline)
        self._places = {service.name: self._place(service) for service in services}

    def _place(self, service: Service) -> SimulatedMachine:
        store, name = self.stores[service.name], service.name
        log_server = SimulatedLogServer(name, store, self.network, self.timeline)
        luck, readers = self.luck.fork(name), tuple(one.name for one in self.services if name in one.sources())
        return SimulatedMachine(service, store, log_server, self.network, self.timeline, luck, self.fate, readers)

    def __enter__(self) -> Simulated:
        for service in self.services:
            self._start(service.name)
        self.timeline.after(WHILE_SECONDS, self._trouble)
        return self

    def __exit__(self, *_: object) -> None:
        for name, store in self.stores.items():
            store.abandon()
            _idle[name].append(store)

    # Processes

    def _start(self, name: str) -> None:
        clock = Clock(lambda: self._now(name), reference=self.timeline.now)
        context = HostContext(self.settings, clock, replace(self.ids, now=clock.now), self.secrets, self._client_of)
        process = SimulatedProcess(self._places[name], context, self._on_end, lambda: self._start(name))
        self.processes[name] = process
        process.start()

    def _on_end(self, process: SimulatedProcess) -> None:
        """Start another process in its place later, unless one has started already."""
        name = process.writer.service.name
        if self.processes[name] is process:
            self.restarts += 1
            self.timeline.after(self.luck.uniform(0.1, 2) * RESTART_SECONDS, lambda: self._restart(process))

    def _restart(self, process: SimulatedProcess) -> None:
        name = process.writer.service.name
        if self.processes[name] is process:
            self._start(name)

    def _now(self, name: str) -> datetime:
        return self.timeline.now() + self._skews[name]

    def _trouble(self) -> None:
        """Draw the faults that happen once in a while: clocks, the broker, connections."""
        fate, luck = self.fate, self.luck
        name = luck.choice(self.services).name
        if fate.strikes("jumped"):
            self._skews[name] = timedelta(seconds=luck.uniform(-JUMP_SECONDS, JUMP_SECONDS))
        if fate.strikes("leapt"):
            self._leap(name, luck.uniform(-LEAP_SECONDS, LEAP_SECONDS), luck.uniform(5, 20))
        if fate.strikes("wiped"):
            self.network.wipe()
            self._places[name].log_server.restart()
        if fate.strikes("cut"):
            self.network.cut(inbox(name, ()).name, luck.uniform(0, CUT_SECONDS))
        if fate.faults.jumped or fate.faults.leapt or fate.faults.wiped or fate.faults.cut:
            self.timeline.after(luck.expovariate(1 / WHILE_SECONDS), self._trouble)

    def _leap(self, name: str, by: float, seconds: float) -> None:
        """Set a clock off by hours, and right again after a while."""
        self._skews[name] = timedelta(seconds=by)
        self.timeline.after(seconds, lambda: self._skews.update({name: timedelta()}))

    # For simulations

    def send(
        self, service: str, command: Command, *, id_: str, actor: str, done: Done, deadline_seconds: float = 10
    ) -> None:
        """Send a command until it is answered. `done` gets the reply, or None when the outcome is unknown."""
        meta = Metadata(correlation_id=id_, causation_id=id_, actor=actor)
        self._client.send(service, CommandMessage(id_, command, meta), done, deadline_seconds)

    def heal(self) -> None:
        """No fault happens from now on."""
        self.fate.heal()
        self._skews = dict.fromkeys(self._skews, timedelta())
        for place in self._places.values():
            place.log_server.hurry()

    def restore(self, name: str, image: bytes) -> None:
        """Restore a service's database from an earlier image, and restart its process."""
        self.stores[name].restore(image)
        self.processes[name].kill()

    def step(self) -> bool:
        """Run the next act of the timeline, and report new events to `committed`. Returns False when there is none."""
        more = self.timeline.step()
        self._report()
        return more

    def run(self, until: Callable[[], bool], within_seconds: float) -> bool:
        """Step until the condition holds, checked twice a virtual second. Returns False when time is up first."""
        deadline = self.timeline.now() + timedelta(seconds=within_seconds)
        while not until():
            if self.timeline.now() > deadline:
                return False
            look_at = self.timeline.now() + LOOK
            while self.timeline.now() < look_at:
                if not self.step():
                    return until()
        return True

    def _report(self) -> None:
        while self._written:
            name, _ = self._written.popitem()
            for recorded in log_reader.read_all(self.stores[name].reads, name, after=self._seen[name]):
                self._seen[name] = recorded.position
                self._committed(recorded)

    @property
    def logs(self) -> Mapping[str, sa.Engine]:
        """An engine to read each service's database, by service."""
        return {name: store.reads for name, store in self.stores.items()}

    def lags(self) -> dict[str, dict[str, int]]:
        """By service and source, how many events are not applied yet."""
        heads, reached = {}, {}
        for name, engine in self.logs.items():
            with engine.connect() as connection:
                heads[name] = log.read_head(connection).position
                rows = connection.execute(sa.select(schema.readers.c.source, schema.readers.c.position))
                reached[name] = {row.source: row.position for row in rows}
        return {name: {source: heads[source] - at for source, at in known.items()} for name, known in reached.items()}


def digest(logs: Mapping[str, sa.Engine]) -> str:
    """A hash of all logs: two runs of one seed have the same."""
    hashes = hashlib.sha256()
    for name in sorted(logs):
        with logs[name].connect() as connection:
            hashes.update(log.read_head(connection).hash)
    return hashes.hexdigest()
