"""Probes for liveness and readiness, and metrics."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.gateway.http.answers import Answer, answer, refusals
from services.gateway.http.depends import Context

router = APIRouter(tags=["health"])
TOO_FAR_BEHIND = 100_000


class Life(Answer):
    status: Literal["ok"]


class Warnings(Answer):
    """What a person must look at, by service. Unknown types of events are also listed by source."""

    parked: dict[str, int]
    agenda_failed: dict[str, int]
    unknown: dict[str, dict[str, list[str]]]


class Readiness(Answer):
    """`behind` lists the lags that are too large, by `<service> behind <source>`. `lag` is the lag of each service,
    null when this process does not know it."""

    status: Literal["ok", "diverged", "halted", "held", "behind"]
    diverged: list[str]
    halted: dict[str, str]
    held: list[str]
    behind: dict[str, int]
    lag: dict[str, int | None]
    warnings: Warnings


NOT_READY = refusals()
NOT_READY[503] |= {"model": Readiness, "description": "Not ready, or no database."}


@router.get("/healthz", summary="Check that the process lives", response_model=Life, responses=refusals())
async def live() -> Response:
    return answer({"status": "ok"})


@router.get(
    "/readyz", summary="Check that the process is ready for requests", response_model=Readiness, responses=NOT_READY
)
async def ready(context: Context) -> Response:
    """Answers 503 while the read models are far behind, a log differs from what was read of it before (`diverged`), a
    service decides nothing (`halted`), or a service waits at an event whose type it must know (`held`). Parked messages
    and skipped events of unknown types are warnings: a person must look at them, and everything else works."""
    await context.rows(sa.select(sa.literal(1)))
    services = await run_sync(context.backend.health)
    behind = {
        f"{name} behind {source}": lag
        for name, health in services.items()
        for source, lag in (health.lag or {}).items()
        if lag > TOO_FAR_BEHIND
    }
    parked = {name: health.parked for name, health in services.items() if health.parked}
    failed = {name: health.agenda_failed for name, health in services.items() if health.agenda_failed}
    diverged = sorted({name for health in services.values() for name in health.diverged})
    halted = {name: health.halted for name, health in services.items() if health.halted}
    held = sorted({name for health in services.values() for name in health.held})
    unknown = {
        name: {source: sorted(counts) for source, counts in health.unknown.items()}
        for name, health in services.items()
        if health.unknown
    }
    is_ready = not (behind or diverged or halted or held)
    status = "diverged" if diverged else "halted" if halted else "held" if held else "behind"
    body: dict[str, Any] = {
        "status": "ok" if is_ready else status,
        "diverged": diverged,
        "halted": halted,
        "held": held,
        "behind": behind,
        "lag": {name: None if health.lag is None else sum(health.lag.values()) for name, health in services.items()},
        "warnings": {"parked": parked, "agenda_failed": failed, "unknown": unknown},
    }
    return answer(body, 200 if is_ready else 503)


@router.get("/metrics", summary="Read Prometheus metrics", response_class=PlainTextResponse, responses=refusals())
async def metrics(request: Request) -> Response:
    return Response(await run_sync(generate_latest, request.app.state.registry), media_type=CONTENT_TYPE_LATEST)
