"""Prometheus metrics: requests by route, and the health of every service."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.metrics import HTTP_REQUESTS, HTTP_SECONDS
from shared.readside.backend import Backend
from shared.telemetry import metrics

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Requests:
    """Counts requests and their time by method, route template and status: a bounded number of series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._count = HTTP_REQUESTS.counter(registry)
        self._seconds = HTTP_SECONDS.histogram(registry)
        self._count.labels(
            "other", "unmatched", "500"
        )  # reported from the start, so that the first error shows as a rise

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        method = method if method in METHODS else "other"
        self._count.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)


class Measured:
    """Measures every request, including failed ones."""

    def __init__(self, app: ASGIApp, requests: Requests) -> None:
        self._app, self._requests = app, requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = perf_counter(), 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            self._requests.answered(scope["method"], route, status, perf_counter() - started)


class Health(Collector):
    """Every service's log head, lag, parked messages and agenda, queried at each scrape."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def collect(self) -> Iterator[Family]:
        healths = self._backend.health()
        yield metrics.LOG_HEAD.family({(name,): health.head for name, health in healths.items()})
        yield metrics.PARKED.family({(name,): health.parked for name, health in healths.items()})
        yield metrics.AGENDA_WAITING.family({(name,): health.agenda_waiting for name, health in healths.items()})
        yield metrics.AGENDA_FAILED.family({(name,): health.agenda_failed for name, health in healths.items()})
        yield metrics.LOG_LAG.family(
            {
                (name, source): behind
                for name, health in healths.items()
                for source, behind in (health.lag or {}).items()
            }
        )
        yield metrics.EVENTS_UNKNOWN.family(
            {
                (name, *key): count
                for name, health in healths.items()
                if health.lag is not None
                for key, count in metrics.by_source_and_type(health.unknown).items()
            }
        )
