"""The embedded host: all services in one process, each with its own thread and SQLite file, without a server."""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError
from tenacity import Retrying, retry_if_exception_type, sleep_using_event, stop_when_event_set, wait_exponential

from shared.eventstore import log, schema
from shared.eventstore.engines import open_engine
from shared.messages.messages import CommandMessage, EventBatch, Reply
from shared.readside.backend import ServiceHealth
from shared.readside.positions import ReadModelProgress
from shared.runtime.clock import Clock, steady
from shared.runtime.consumer_loop import ConsumerLoop, make_call
from shared.runtime.file_upgrade import upgrade_files
from shared.runtime.ids import Ids
from shared.runtime.in_process import InProcessMessage, InProcessNetwork, InProcessTransport
from shared.runtime.service import HostContext, Service
from shared.runtime.settings import Settings
from shared.scheduler.scheduler import FAILED, WAITING, DueCall
from shared.security.private import private_folder
from shared.security.secrets import Secrets
from shared.subscriptions.divergence import differences
from shared.writer.external_calls import CallResult
from shared.writer.writer import Writer

ANNOUNCE_SECONDS = 1.0
REPLY_SECONDS = 30.0
SEEN_SECONDS = 5.0
logger = structlog.get_logger()


class InUse(RuntimeError):
    """Another process has the lock of this folder."""


class Embedded:
    """Runs services on the files in `settings.var`; it is also the Backend of an HTTP server.

    `reader` names the service whose database is queried. Raises InUse when another process uses the folder.
    """

    def __init__(
        self, services: Sequence[Service], settings: Settings, *, reader: str, clock: Clock | None = None
    ) -> None:
        self.settings, self.services = settings, tuple(services)
        self.clock = clock or Clock(reference=steady())
        self.ids = Ids(self.clock.now)
        if changed := private_folder(settings.var):
            logger.warning("readable by others, now by us alone", folder=str(settings.var), changed=changed)
        self._own = ExitStack()
        self._own.enter_context(lock_folder(settings.var))
        self.secrets = Secrets(settings.var / "secrets")
        self.network = InProcessNetwork()
        self._marks, self._reader = ReadModelProgress(), reader
        self._stopping = threading.Event()
        self._callers = ThreadPoolExecutor(max_workers=16, thread_name_prefix="effect")
        self._threads: list[threading.Thread] = []
        self.loops: dict[str, ConsumerLoop[InProcessMessage]] = {}
        self.reading: dict[str, sa.Engine] = {}
        self._transports: dict[str, InProcessTransport] = {}
        self.broken: str | None = None
        self.on_broken: Callable[[], object] = lambda: None
        context = HostContext(settings, self.clock, self.ids, self.secrets)
        for service in self.services:
            self.loops[service.name] = self._loop(service, context)
        self.reads = self.reading[reader]
        self.network.watch_read_models(reader, self._marks.reached)

    def _loop(self, service: Service, context: HostContext) -> ConsumerLoop[InProcessMessage]:
        url = database_url(self.settings.var, service.name)
        writer = Writer(service, open_engine(url, writer=True), context)

        def perform(call: DueCall, done: Callable[[CallResult], None]) -> None:
            if not self._stopping.is_set():
                self._callers.submit(lambda: done(make_call(writer, call)))

        reads = self.reading[service.name] = open_engine(url, writer=False)
        transport = self._transports[service.name] = self.network.attach(service.name, service.sources(), reads)
        readers = [one.name for one in self.services if service.name in one.sources()]
        return ConsumerLoop(writer, transport, perform, transport.wake, readers=readers)

    def start(self) -> None:
        """Start every service; returns when each has caught up with the logs it reads.

        Files that an older version wrote are upgraded first. Raises LookupError when a log ends before the position
        that a reader has applied, and log.Incomplete when a file lacks a table that cannot be rebuilt from a log.
        """
        writing = {name: loop.writer.engine for name, loop in self.loops.items()}
        upgrade_files(self.services, writing, self.reading, self.clock.now())
        for loop in self.loops.values():
            loop.writer.start()
        catch_up(self.loops)
        self._marks.reached(self.loops[self._reader].writer.reached)
        for name, loop in self.loops.items():
            thread = threading.Thread(target=self._run, args=(loop,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, loop: ConsumerLoop[InProcessMessage]) -> None:
        try:
            self._turn_until_stopped(loop)
        except Exception:
            self.broken = loop.writer.service.name
            logger.critical("a service broke; everything stops", service=self.broken, exc_info=True)
            self._stopping.set()
            self.on_broken()

    def _turn_until_stopped(self, loop: ConsumerLoop[InProcessMessage]) -> None:
        name, transport = loop.writer.service.name, self._transports[loop.writer.service.name]
        retrying = Retrying(
            retry=retry_if_exception_type((DBAPIError, log.Fenced)),
            wait=wait_exponential(multiplier=0.05, max=5),
            sleep=sleep_using_event(self._stopping),
            stop=stop_when_event_set(self._stopping),
            retry_error_callback=lambda state: None,
            before_sleep=lambda state: logger.warning(
                "database error, trying again",
                service=name,
                attempt=state.attempt_number,
                error=type(state.outcome.exception()).__name__ if state.outcome else "",
            ),
        )
        announced = self.clock.now()
        while not self._stopping.is_set():
            transport.wait(loop.patience())
            retrying(loop.turn)
            now = self.clock.now()
            if (now - announced).total_seconds() >= ANNOUNCE_SECONDS:
                retrying(self.network.announce, name)
                announced = now
        while loop.turn():
            pass

    def stop(self) -> None:
        """Commit what has arrived, then stop. External calls under way are abandoned, and made again after a
        restart."""
        self._stopping.set()
        for transport in self._transports.values():
            transport.wake()
        for thread in self._threads:
            thread.join(timeout=30)
        self._callers.shutdown(wait=False, cancel_futures=True)
        for name, loop in self.loops.items():
            loop.writer.engine.dispose()
            self.reading[name].dispose()
        self._own.close()

    # The Backend of an HTTP server

    async def send(self, service: str, message: CommandMessage) -> Reply:
        future = asyncio.wrap_future(self.network.ask(service, message))
        return await asyncio.wait_for(future, REPLY_SECONDS)

    async def wait_for_position(self, source: str, position: int) -> bool:
        return await self._marks.wait(source, position, SEEN_SECONDS)

    async def caught_up(self, source: str) -> bool:
        return await self.wait_for_position(source, self.loops[source].writer.head.position)

    @property
    def revision(self) -> int:
        return self._marks.revision

    async def wait_for_change(self, since: int, seconds: float) -> bool:
        return await self._marks.wait_for_change(since, seconds)

    async def pull(self, source: str, after: int, limit: int) -> EventBatch:
        return await asyncio.to_thread(self.network.pull, source, after, limit)

    def health(self) -> Mapping[str, ServiceHealth]:
        heads = {name: loop.writer.head.position for name, loop in self.loops.items()}
        return {name: _health(loop.writer, self.reading[name], heads) for name, loop in self.loops.items()}

    def settled(self) -> bool:
        """Whether every service has applied all events of its sources, and nothing is due or under way.

        Call it twice: a message between two services may be missed by the first call.
        """
        return not self.network.is_waiting() and settled(self.loops)


def catch_up(loops: Mapping[str, ConsumerLoop[InProcessMessage]]) -> None:
    """Turn the loops one after the other until each has applied all events of its sources that it can apply."""
    turned = [True]
    while any(turned):
        turned = [loop.turn() for loop in loops.values()]
        for loop in loops.values():
            for source in loop.tracker.heads:
                if source in loops:
                    loop.tracker.batch_arrived(source, loops[source].writer.head.position)


def settled(loops: Mapping[str, ConsumerLoop[InProcessMessage]]) -> bool:
    """Whether every loop is idle and has applied all events of its sources."""
    heads = {name: loop.writer.head.position for name, loop in loops.items()}
    return all(
        loop.is_idle() and all(position >= heads.get(source, 0) for source, position in loop.writer.positions.items())
        for loop in loops.values()
    )


def database_url(var: Path, service: str) -> str:
    """The URL of a service's SQLite file."""
    return f"sqlite:///{(var / service).absolute()}.sqlite3"


@contextmanager
def lock_folder(var: Path) -> Iterator[None]:
    """Lock a folder for this process. Raises InUse when another process uses it."""
    handle = os.open(var / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(f"another process works on {var}") from None
        yield
    finally:
        os.close(handle)


def _health(writer: Writer, reads: sa.Engine, heads: Mapping[str, int]) -> ServiceHealth:
    with reads.connect() as connection:
        states = sa.select(schema.agenda.c.state, sa.func.count()).group_by(schema.agenda.c.state)
        agenda: dict[str, int] = {row[0]: row[1] for row in connection.execute(states)}
    return ServiceHealth(
        head=writer.head.position,
        lag={source: heads[source] - position for source, position in writer.positions.items()},
        diverged=[str(found) for found in differences(writer)],
        halted=writer.halted,
        held=[str(held) for held in writer.unknown.held.values()],
        unknown={source: dict(counts) for source, counts in writer.unknown.counts.items()},
        parked=writer.parked.count(),
        agenda_waiting=agenda.get(WAITING, 0),
        agenda_failed=agenda.get(FAILED, 0),
    )
