"""A service's writer as a process of its own: standing by, leading, and starting over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import structlog
from sqlalchemy.exc import DBAPIError

from shared.eventlog import log
from shared.eventlog.agenda import DueCall
from shared.eventlog.engines import is_outage, open_engine
from shared.eventlog.leading import Lead, LeadLost
from shared.hosting.calls import Result
from shared.hosting.cluster import database
from shared.hosting.cluster.alarm import Alarm
from shared.hosting.cluster.figures import Figures, paid_at
from shared.hosting.cluster.link import reachable
from shared.hosting.cluster.metrics import Metrics, Standing
from shared.hosting.cluster.settings import ClusterSettings
from shared.hosting.cluster.term import Term
from shared.hosting.collecting import collect_seldom
from shared.hosting.service import Service, Surroundings
from shared.hosting.writer import Writer
from shared.telemetry.happened import PAID

STANDBY_SECONDS = 0.5
STALLED_SECONDS = 120.0
logger = structlog.get_logger()
Role: TypeAlias = Literal["starting", "standby", "leader", "stopping"]
PerformFor: TypeAlias = Callable[[Writer, DueCall, Callable[[Result], None]], object]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a process does, or could at once do, its work; `lag` is in events a source, of a leader only."""

    role: Role
    database: bool
    schema: bool
    broker: bool
    head: int
    lag: dict[str, int]

    @property
    def ready(self) -> bool:
        return self.role in ("leader", "standby") and self.database and self.schema and self.broker


class WriterProcess:
    """Runs one service's writer on its own database and broker connections. It knows neither nameko nor eventlet."""

    def __init__(self, service: Service, settings: ClusterSettings, surroundings: Surroundings) -> None:
        self.service, self.settings, self._surroundings = service, settings, surroundings
        url = settings.database_of(service.name)
        self._engine, self._reads = open_engine(url, writer=True), database.health_engine(url)
        self._alarm, self._stopping = Alarm(), threading.Event()
        self._lead = Lead(url, service.name, self._alarm.ring)
        self._role: Role = "starting"
        self._term: Term | None = None
        self._looked_at = time.monotonic()
        self._figures = Figures(service, surroundings.settings, self._reads)
        self.metrics = Metrics(
            service, surroundings.settings, self.standing, lambda streams: paid_at(self._reads, streams, PAID)
        )

    def run(self, perform: PerformFor) -> None:
        """Until stopped: wait to be the leader, write, and start over whenever the lead is lost.

        `perform(writer, call, done)` sees to it that `done(make_call(writer, call))` runs on another thread.
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
            writer = Writer(self.service, self._engine, self._surroundings)
            writer.start()
            collect_seldom()
            self._term = Term(
                writer,
                self._lead,
                self.settings.amqp_url,
                self._alarm,
                self.metrics,
                lambda call, done: perform(writer, call, done),
                self._stopping.is_set,
            )
            self._role = "leader"
            self._term.run()
        except (LeadLost, log.Fenced, DBAPIError) as error:
            if isinstance(error, DBAPIError) and not is_outage(error):
                raise
            logger.warning("the lead is lost, starting over", service=self.service.name, error=type(error).__name__)
        finally:
            self._role, self._term = "starting", None
            self._lead.release()
            self._engine.dispose()

    def stop(self) -> None:
        """Settle what has arrived, and let `run` return. From any thread."""
        self._stopping.set()
        self._alarm.ring()

    # For whoever looks after it

    def is_alive(self) -> bool:
        """Whether the process moves at all."""
        term = self._term
        moved_at = term.turned_at if term is not None else self._looked_at
        return time.monotonic() - moved_at < STALLED_SECONDS

    def readiness(self) -> Readiness:
        """Asks the database, and a standby the broker as well: what it would need is there."""
        term, role = self._term, "stopping" if self._stopping.is_set() else self._role
        answers, has_tables = database.look(self._reads, self.service)
        if term is None:
            return Readiness(role, answers, has_tables, reachable(self.settings.amqp_url), 0, {})
        lag = term.following.lag(term.writer.positions)
        return Readiness(role, answers, has_tables, term.link.session is not None, term.writer.head.position, lag)

    def standing(self) -> Standing | None:
        """Where the writer stands; None in a standby."""
        term = self._term
        if term is None:
            return None
        lag, now = term.following.lag(term.writer.positions), time.monotonic()
        term.behind.look(lag, term.writer.positions, now)
        return Standing(
            head=term.writer.head.position,
            lag=lag,
            lag_seconds=term.behind.seconds(now),
            parked=term.writer.parked.count(),
            figures=self._figures.look(),
        )
