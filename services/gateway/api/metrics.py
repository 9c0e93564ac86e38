"""Prometheus metrics: requests by route, and the health of every service."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.hosting.backend import Backend

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class Requests:
    """Counts requests and their time by method, route template and status: a bounded number of series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route", "status")
        self._count = Counter("kameng_http_requests", "HTTP requests answered.", labels, registry=registry)
        self._seconds = Histogram(
            "kameng_http_request_seconds",
            "Time to answer HTTP requests.",
            ("method", "route"),
            buckets=BUCKETS,
            registry=registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        method = method if method in METHODS else "other"
        self._count.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)


class Measured:
    """Measures every request, failed ones too."""

    def __init__(self, app: ASGIApp, requests: Requests) -> None:
        self._app, self._requests = app, requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            self._requests.answered(scope["method"], route, status, perf_counter() - started)


class Health(Collector):
    """Every service's log head, lag, parked work and agenda, asked when scraped."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def collect(self) -> Iterator[Metric]:
        head = GaugeMetricFamily("kameng_log_head", "Position of a log's last event.", labels=["service"])
        lag = GaugeMetricFamily("kameng_log_lag", "Events not yet applied.", labels=["service", "source"])
        parked = GaugeMetricFamily("kameng_parked", "Messages that wait for a person.", labels=["service"])
        waiting = GaugeMetricFamily("kameng_agenda_waiting", "Things to do later.", labels=["service"])
        failed = GaugeMetricFamily("kameng_agenda_failed", "Things that failed for good.", labels=["service"])
        for name, health in self._backend.health().items():
            head.add_metric([name], health.head)
            parked.add_metric([name], health.parked)
            waiting.add_metric([name], health.agenda_waiting)
            failed.add_metric([name], health.agenda_failed)
            for source, behind in (health.lag or {}).items():
                lag.add_metric([name, source], behind)
        yield from (head, lag, parked, waiting, failed)
