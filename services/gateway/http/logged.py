"""Each request as a log line and, where there are traces, as a span.

Named are the method, the route's template and the outcome; never the query, a header or a body, which may hold what
only the caller should know.
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
    """Requests that change something are told of at INFO, failures of ours at WARNING, all others at DEBUG; probes
    are not."""

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

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with requested(method, scope["headers"]) as span:
            try:
                await self._app(scope, receive, watched)
            except Exception:
                status = status or 500
                raise
            finally:
                route = getattr(scope.get("route"), "path", "unmatched")
                answered(span, f"{method} {route}", route, status)
                _tell(scope, method, route, status, perf_counter() - started)


def _tell(scope: Scope, method: str, route: str, status: int | None, seconds: float) -> None:
    """`status` is None when the caller went away before the answer began."""
    level = "warning" if (status or 0) >= 500 else "debug" if method in READS else "info"
    if not says(level):
        return
    facts: dict[str, object] = {"method": method, "route": route, "status": status, "seconds": round(seconds, 4)}
    # Only what was found is known to be the id of an order, and not something else that was put in its place.
    if status is not None and status < 400 and "order_id" in scope.get("path_params", ()):
        facts["order_id"] = scope["path_params"]["order_id"]
    getattr(logger, level)("request", **facts)
