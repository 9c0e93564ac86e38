"""The Prometheus metrics of a writer's process."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from shared.runtime.service import Outcome, Service
from shared.runtime.settings import Settings
from shared.scheduler.scheduler import DueCall
from shared.telemetry import metrics
from shared.telemetry.event_counters import BegunAt, EventCounters
from shared.telemetry.metric import Metric, Sample
from shared.telemetry.process import Process
from shared.writer.external_calls import CallResult
from shared.writer.inputs import CallFailed

OUTCOMES = (*get_args(Outcome), "error")


@dataclass(frozen=True, slots=True)
class WriterStatus:
    """The status of a leading writer. `lag`: by source, events not yet applied; `lag_seconds`: how long the first of
    them has been known. `diverged`: the sources that have diverged, and the service itself when a reader contests its
    log. `unannounced`: sources whose log server is silent. `unknown`: by source and type, events of unknown types.
    `gauges`: samples read from the service's tables."""

    head: int
    lag: Mapping[str, int]
    lag_seconds: Mapping[str, float]
    parked: int
    gauges: Iterable[Sample]
    diverged: Sequence[str] = ()
    unknown: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    unannounced: Collection[str] = ()


class WriterMetrics:
    """The metrics of one process. `status` is called at each scrape and gives None in a standby."""

    def __init__(
        self,
        service: Service,
        settings: Settings,
        status: Callable[[], WriterStatus | None],
        begun_at: BegunAt,
        ahead: Callable[[], float | None] = lambda: None,
    ) -> None:
        """`ahead`: how many seconds the clock is ahead of the database's; None while that is not known."""
        self._registry, name = CollectorRegistry(), service.name
        self.batches = metrics.BATCHES.counter(self._registry).labels(name)
        self.retries = metrics.BATCH_RETRIES.counter(self._registry).labels(name)
        self.pulls = metrics.PULLS.counter(self._registry).labels(name)
        self.dropped = metrics.DROPPED.counter(self._registry).labels(name)
        self.size = metrics.BATCH_SIZE.histogram(self._registry).labels(name)
        self.seconds = metrics.COMMIT_SECONDS.histogram(self._registry).labels(name)
        self.happened = EventCounters(name, service.counters, self._registry, begun_at)
        self.calls = CallMetrics(service, settings, self._registry)
        self._registry.register(_StatusCollector(name, status, ahead))
        self._registry.register(Process(name, "writer"))

    def render(self) -> str:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry).decode()


class CallMetrics:
    """Counts and times external calls, by effect, partner and outcome."""

    def __init__(self, service: Service, settings: Settings, registry: CollectorRegistry) -> None:
        self._service = service.name
        self._count = metrics.CALLS.counter(registry)
        self._seconds = metrics.CALL_SECONDS.histogram(registry)
        self._effects, self._partners = service.effects, frozenset(service.partners(settings))
        for effect in service.effects:
            for partner in sorted(self._partners):
                self._seconds.labels(self._service, effect, partner)
                for outcome in OUTCOMES:
                    self._count.labels(self._service, effect, partner, outcome)

    def measured(self, call: DueCall, make: Callable[[], CallResult]) -> CallResult:
        """Make the call."""
        started = time.perf_counter()
        result = make()
        took = time.perf_counter() - started
        effect = self._effects[call.effect]
        name = call.payload.get(effect.partner)
        partner = name if name in self._partners else "other"
        outcome = "error" if isinstance(result, CallFailed) else effect.outcome(result.result)
        self._seconds.labels(self._service, call.effect, partner).observe(took)
        self._count.labels(self._service, call.effect, partner, outcome).inc()
        return result


class _StatusCollector(Collector):
    def __init__(
        self, service: str, status: Callable[[], WriterStatus | None], ahead: Callable[[], float | None]
    ) -> None:
        self._service, self._status, self._ahead = service, status, ahead

    def collect(self) -> Iterable[Family]:
        status, mine = self._status(), (self._service,)
        yield metrics.LEADER.family({mine: status is not None})
        if (ahead := self._ahead()) is not None:
            yield metrics.CLOCK_AHEAD.family({mine: ahead})
        if status is None:
            return
        yield metrics.LOG_HEAD.family({mine: status.head})
        yield metrics.PARKED.family({mine: status.parked})
        for metric, by_source in ((metrics.LOG_LAG, status.lag), (metrics.LOG_LAG_SECONDS, status.lag_seconds)):
            yield metric.family({(self._service, source): value for source, value in by_source.items()})
        logs = (*status.lag, self._service)
        yield metrics.LOG_DIVERGED.family({(self._service, one): one in status.diverged for one in logs})
        unknown = {(source, ""): 0 for source in status.lag} | metrics.by_source_and_type(status.unknown)
        yield metrics.EVENTS_UNKNOWN.family({(self._service, *key): count for key, count in unknown.items()})
        silent = {(self._service, one): one in status.unannounced for one in status.lag}
        yield metrics.LOG_UNANNOUNCED.family(silent)
        found: dict[Metric, dict[tuple[str, ...], float]] = {}
        for metric, labels, value in status.gauges:
            found.setdefault(metric, {})[tuple(labels)] = value
        for metric, values in found.items():
            yield metric.family(values)

    def describe(self) -> Iterable[Family]:
        return ()
