"""Runs a service's writer in its own process: waits for leadership, leads, and starts over after losing it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, TypeAlias

import structlog
from sqlalchemy.exc import DBAPIError

from shared.eventstore import log
from shared.eventstore.checkpoints import PUBLISHER
from shared.eventstore.divergence import published
from shared.eventstore.engines import is_outage, open_engine
from shared.eventstore.leadership import Leadership, LeadershipLost
from shared.runtime.cluster import database
from shared.runtime.cluster.alarm import Alarm
from shared.runtime.cluster.broker_connection import reachable
from shared.runtime.cluster.gauges import Gauges, came_at
from shared.runtime.cluster.leader_session import LeaderSession
from shared.runtime.cluster.metrics import WriterMetrics, WriterStatus
from shared.runtime.cluster.settings import ClusterSettings
from shared.runtime.garbage import collect_seldom
from shared.runtime.service import HostContext, Service
from shared.scheduler.scheduler import DueCall
from shared.subscriptions.divergence import differences
from shared.writer.external_calls import CallResult
from shared.writer.writer import Writer

STANDBY_SECONDS = 0.5
STALLED_SECONDS = 120.0
logger = structlog.get_logger()
Role: TypeAlias = Literal["starting", "standby", "leader", "stopping"]
PerformFor: TypeAlias = Callable[[Writer, DueCall, Callable[[CallResult], None]], object]


@dataclass(frozen=True, slots=True)
class WriterReadiness:
    """Whether a process works, or could take over at once.

    `lag`: by source, events not yet applied, of a leader only; negative when the source's log ends before the applied
    position. `diverged`: the divergences, as texts. `halted`: why the writer decides nothing. `held`: the sources that
    this version can't apply further, as texts. `unannounced`: the sources whose log server is silent; work goes on, but
    a batch that is lost on its way from them can't be pulled.
    """

    role: Role
    database: bool
    schema: bool
    broker: bool
    head: int
    lag: dict[str, int]
    diverged: list[str] = field(default_factory=list)
    halted: str = ""
    held: list[str] = field(default_factory=list)
    unannounced: list[str] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        has_all = self.database and self.schema and self.broker
        return self.role in ("leader", "standby") and has_all and not (self.diverged or self.halted or self.held)


class WriterProcess:
    """Runs one service's writer with connections to its database and the broker, without nameko or eventlet.

    `readers` names the services that read its log: the writer asks them for their positions before it decides.
    """

    def __init__(
        self, service: Service, settings: ClusterSettings, context: HostContext, readers: Sequence[str] = ()
    ) -> None:
        self._readers = tuple(readers)
        self.service, self.settings = service, settings
        url = settings.database_of(service.name)
        self._engine, self._reads = open_engine(url, writer=True), database.health_engine(url)
        self._alarm, self._stopping = Alarm(), threading.Event()
        self._lead = Leadership(url, service.name, self._alarm.ring)
        clock = replace(context.clock, reference=self._lead.server_time)
        self._context = replace(context, clock=clock)
        self._role: Role = "starting"
        self._session: LeaderSession | None = None
        self._off = ""
        self._looked_at = time.monotonic()
        self._gauges = Gauges(service, context.settings, self._reads)
        self.metrics = WriterMetrics(
            service,
            context.settings,
            self.status,
            partial(came_at, self._reads),
            self._lead.clock_ahead,
        )

    def run(self, perform: PerformFor) -> None:
        """Until stopped: wait for leadership, lead, and start over when leadership is lost.

        `perform(writer, call, done)` has `done(make_call(writer, call))` run on another thread.
        """
        try:
            while not self._stopping.is_set():
                self._looked_at = time.monotonic()
                if self._lead.acquire():
                    self._be_leader(perform)
                else:
                    self._role = "standby"
                self._rest()
        finally:
            self._lead.release()
            self._engine.dispose()
            self._reads.dispose()

    def _rest(self) -> None:
        if not self._stopping.is_set():
            self._alarm.wait(STANDBY_SECONDS)

    def _be_leader(self, perform: PerformFor) -> None:
        self._role = "starting"
        try:
            writer = Writer(self.service, self._engine, self._context)
            if self._refuses(writer):
                return
            writer.start()
            collect_seldom()
            self._session = LeaderSession(
                writer,
                self._lead,
                self.settings.amqp_url,
                self._alarm,
                self.metrics,
                lambda call, done: perform(writer, call, done),
                self._stopping.is_set,
                (*self._readers, *self._publishers()),
            )
            self._role = "leader"
            self._session.run()
        except (LeadershipLost, log.Fenced, DBAPIError) as error:
            if isinstance(error, DBAPIError) and not is_outage(error):
                raise
            logger.warning("the lead is lost, starting over", service=self.service.name, error=type(error).__name__)
        finally:
            self._role, self._session = "starting", None
            self._lead.release()
            self._engine.dispose()

    def _publishers(self) -> Sequence[str]:
        """The log's publisher, if it has published: like a reader, it knows how far the log reached."""
        with self._engine.connect() as connection:
            return [PUBLISHER] if PUBLISHER in published(connection) else []

    def _refuses(self, writer: Writer) -> bool:
        """Whether this process must not lead because its clock is too far off the server's; another one may be
        right."""
        if writer.clock_off != self._off and writer.clock_off:
            logger.critical("will not lead", service=self.service.name, reason=writer.clock_off)
        self._off = writer.clock_off
        return bool(self._off)

    def stop(self) -> None:
        """Have `run` commit what has arrived and return. From any thread."""
        self._stopping.set()
        self._alarm.ring()

    # For operators

    def is_alive(self) -> bool:
        """Whether the process has turned its loop within STALLED_SECONDS."""
        session = self._session
        moved_at = session.turned_at if session is not None else self._looked_at
        return time.monotonic() - moved_at < STALLED_SECONDS

    def readiness(self) -> WriterReadiness:
        """Query the database, and in a standby also the broker, and report what is there."""
        session, role = self._session, "stopping" if self._stopping.is_set() else self._role
        answers, has_tables = database.look(self._reads, self.service)
        if session is None:
            return WriterReadiness(
                role, answers, has_tables, reachable(self.settings.amqp_url), 0, {}, halted=self._off
            )
        writer, is_linked = session.writer, session.transport.connection.session is not None
        lag, diverged = session.loop.tracker.lag(writer.positions), [str(found) for found in differences(writer)]
        held = [str(one) for one in writer.unknown.held.values()]
        head, silent = writer.head.position, sorted(session.loop.tracker.unannounced)
        return WriterReadiness(role, answers, has_tables, is_linked, head, lag, diverged, writer.halted, held, silent)

    def status(self) -> WriterStatus | None:
        """The writer's status; None in a standby."""
        session = self._session
        if session is None:
            return None
        lag, now = session.loop.tracker.lag(session.writer.positions), time.monotonic()
        session.loop.lag_tracker.look(lag, session.writer.positions, now)
        return WriterStatus(
            head=session.writer.head.position,
            lag=lag,
            lag_seconds=session.loop.lag_tracker.seconds(now),
            parked=session.writer.parked.count(),
            diverged=[*session.writer.diverged, *([self.service.name] if session.writer.contested else [])],
            unknown={source: dict(counts) for source, counts in session.writer.unknown.counts.items()},
            gauges=self._gauges.look(),
            unannounced=session.loop.tracker.unannounced,
        )
