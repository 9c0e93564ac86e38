"""Logs each request as one line and, when tracing is on, as a span.

A line has the method, the template of the route, and the outcome. It never has the query, a header or a body, which may
hold secrets of the caller.
"""

from __future__ import annotations

from time import perf_counter

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import clear_contextvars

from services.gateway.http.metrics import METHODS
from shared.telemetry.logs import bind, says
from shared.telemetry.tracing import answered, requested

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
READS = frozenset({"GET", "HEAD", "OPTIONS"})
logger = structlog.get_logger()


class Logged:
    """Logs requests that change something at INFO, internal errors at WARNING, and all others at DEBUG. Probes are not
    logged."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        clear_contextvars()
        bind(service="gateway")
        method = scope["method"] if scope["method"] in METHODS else "other"
        started, status = perf_counter(), None

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with requested(method, scope["headers"]) as span:
            try:
                await self._app(scope, receive, send_and_note)
            except Exception:
                status = status or 500
                raise
            finally:
                route = getattr(scope.get("route"), "path", "unmatched")
                answered(span, f"{method} {route}", route, status)
                _log(scope, method, route, status, perf_counter() - started)


def _log(scope: Scope, method: str, route: str, status: int | None, seconds: float) -> None:
    """Write the line of a request. `status` is None when the caller hung up before the answer began."""
    level = "warning" if (status or 0) >= 500 else "debug" if method in READS else "info"
    if not says(level):
        return
    facts: dict[str, object] = {"method": method, "route": route, "status": status, "seconds": round(seconds, 4)}
    # After an error, the path may hold something else in place of an order's id.
    if status is not None and status < 400 and "order_id" in scope.get("path_params", ()):
        facts["order_id"] = scope["path_params"]["order_id"]
    getattr(logger, level)("request", **facts)
