"""What a writer tells Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a writer stands; `lag` is in events a source. The agenda's numbers are None without a database."""

    head: int
    lag: dict[str, int]
    parked: int
    agenda_waiting: int | None
    agenda_failed: int | None


class Metrics:
    """One process's metrics; `standing` is asked at each look and gives None in a standby."""

    def __init__(self, service: str, standing: Callable[[], Standing | None]) -> None:
        self._registry = CollectorRegistry()
        labels = ("service",)

        def counter(name: str, help_: str) -> Counter:
            return Counter(name, help_, labels, registry=self._registry).labels(service)

        def histogram(name: str, help_: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(name, help_, labels, buckets=buckets, registry=self._registry).labels(service)

        self.batches = counter("kameng_batches", "Group commits.")
        self.retries = counter("kameng_batch_retries", "Group commits tried again after a database error.")
        self.pulls = counter("kameng_pulls", "Times that a source was asked for what was missing.")
        self.dropped = counter("kameng_dropped", "Messages that could not be read.")
        self.size = histogram("kameng_batch_size", "Commands, events and results in a group commit.", SIZES)
        self.seconds = histogram("kameng_commit_seconds", "Time to decide and commit a batch.", SECONDS)
        self._registry.register(_Standings(service, standing))

    def render(self) -> str:
        """All of them, in Prometheus's text format."""
        return generate_latest(self._registry).decode()


class _Standings(Collector):
    def __init__(self, service: str, standing: Callable[[], Standing | None]) -> None:
        self._service, self._standing = service, standing

    def collect(self) -> Iterable[Metric]:
        standing = self._standing()
        yield self._gauge("kameng_leader", "Whether this process is the service's writer.", int(standing is not None))
        if standing is None:
            return
        yield self._gauge("kameng_log_head", "Position of a log's last event.", standing.head)
        yield self._gauge("kameng_parked", "Messages that wait for a person.", standing.parked)
        lag = GaugeMetricFamily("kameng_log_lag", "Events not yet applied.", labels=["service", "source"])
        for source, events in standing.lag.items():
            lag.add_metric([self._service, source], events)
        yield lag
        if standing.agenda_waiting is not None:
            yield self._gauge("kameng_agenda_waiting", "Things to do later.", standing.agenda_waiting)
        if standing.agenda_failed is not None:
            yield self._gauge("kameng_agenda_failed", "Things that failed for good.", standing.agenda_failed)

    def _gauge(self, name: str, help_: str, value: int) -> Metric:
        gauge = GaugeMetricFamily(name, help_, labels=["service"])
        gauge.add_metric([self._service], value)
        return gauge

    def describe(self) -> Iterable[Metric]:
        return ()
