"""Whether the process lives, whether it should be asked, and its metrics."""

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
    """What a person must look at, by service; types of events that are not known also by source."""

    parked: dict[str, int]
    agenda_failed: dict[str, int]
    unknown: dict[str, dict[str, list[str]]]


class Readiness(Answer):
    """`behind` has what keeps it from being ready, by `<service> behind <source>`; `lag` is each service's, null where
    it is not known here."""

    status: Literal["ok", "diverged", "halted", "held", "behind"]
    diverged: list[str]
    halted: dict[str, str]
    held: list[str]
    behind: dict[str, int]
    lag: dict[str, int | None]
    warnings: Warnings


NOT_READY = refusals()
NOT_READY[503] |= {"model": Readiness, "description": "Not ready, or no database."}


@router.get("/healthz", summary="Whether the process lives", response_model=Life, responses=refusals())
async def live() -> Response:
    return answer({"status": "ok"})


@router.get("/readyz", summary="Whether requests should come here", response_model=Readiness, responses=NOT_READY)
async def ready(context: Context) -> Response:
    """503 while the read models are far behind, or a log is not the one that was read: `diverged` names it, and
    `halted` the services that decide nothing; or while an event that must be known is not (`held`). Parked work, and
    events of unknown types that were passed over, are warnings: a person must look, but all else works."""
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
    diverged = sorted({told for health in services.values() for told in health.diverged})
    halted = {name: health.halted for name, health in services.items() if health.halted}
    held = sorted({told for health in services.values() for told in health.held})
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


@router.get("/metrics", summary="Prometheus metrics", response_class=PlainTextResponse, responses=refusals())
async def metrics(request: Request) -> Response:
    return Response(await run_sync(generate_latest, request.app.state.registry), media_type=CONTENT_TYPE_LATEST)
