"""Whether the process lives, whether it should be asked, and its metrics."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.gateway.api.depends import TheGate

router = APIRouter(tags=["health"])
TOO_FAR_BEHIND = 100_000


@router.get("/healthz", summary="Whether the process lives")
async def live() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz", summary="Whether requests should come here")
async def ready(gate: TheGate) -> Response:
    """503 while the read models are far behind. Parked work is a warning: a person must look, but all else works."""
    await gate.rows(sa.select(sa.literal(1)))
    services = await run_sync(gate.backend.health)
    behind = {
        f"{name} behind {source}": lag
        for name, health in services.items()
        for source, lag in (health.lag or {}).items()
        if lag > TOO_FAR_BEHIND
    }
    parked = {name: health.parked for name, health in services.items() if health.parked}
    failed = {name: health.agenda_failed for name, health in services.items() if health.agenda_failed}
    body: dict[str, Any] = {
        "status": "behind" if behind else "ok",
        "behind": behind,
        "lag": {name: None if health.lag is None else sum(health.lag.values()) for name, health in services.items()},
        "warnings": {"parked": parked, "agenda_failed": failed},
    }
    return JSONResponse(body, 503 if behind else 200)


@router.get("/metrics", summary="Prometheus metrics")
async def metrics(request: Request) -> Response:
    return Response(await run_sync(generate_latest, request.app.state.registry), media_type=CONTENT_TYPE_LATEST)
