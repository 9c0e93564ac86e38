"""Webhook endpoints: registering, changing and removing them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.gateway.access.auth import Permission, Principal
from services.gateway.http.answers import ASKED, DECIDED, Answer, answer, refusals
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import Context, IdempotencyKey, may
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.problems import Problem
from services.gateway.http.shapes import Body, PathId, ShownName
from services.gateway.settings import GatewaySettings
from services.gateway.webhooks.addresses import AddressRefused, check_reachable, resolve
from services.gateway.webhooks.delivery_store import DeliveryStore
from services.gateway.webhooks.filters import sources_of
from services.gateway.webhooks.projection import webhook_endpoints
from services.gateway.webhooks.signing import endpoint_secret
from services.gateway.webhooks.snapshot import Queue, Snapshot
from shared.contracts.gateway import (
    ChangeWebhookEndpoint,
    DisableWebhookEndpoint,
    EnableWebhookEndpoint,
    RegisterWebhookEndpoint,
    RemoveWebhookEndpoint,
    RotateWebhookSecret,
)

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=JsonRoute)
MOST_ENDPOINTS = 100
Manager = Annotated[Principal, Depends(may(Permission.WEBHOOK_MANAGE))]
Url = Annotated[str, Field(min_length=1, max_length=500, strict=True, description="https, on a public address.")]
Pattern = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[A-Za-z.*]+$", strict=True)]
Patterns = Annotated[
    list[Pattern],
    Field(min_length=1, max_length=50, description="`<service>.<event>`, where `*` stands for any letters: `order.*`."),
]


class RegisterBody(Body):
    name: ShownName = ""
    url: Url
    events: Patterns


class ChangeBody(Body):
    """Changes of an endpoint. Members that are left out stay as they are."""

    name: ShownName | None = None
    url: Url | None = None
    events: Patterns | None = None


class RotateBody(Body):
    """How long the former secret keeps signing. When it is left out, the setting applies."""

    overlap_seconds: Annotated[int, Field(ge=0, le=30 * 86_400, strict=True)] | None = None


class WebhookEndpoint(Answer):
    """An endpoint with the state of its deliveries, once that is known. `behind` counts the events of each service's
    log that are not dispatched yet."""

    endpoint_id: str
    name: str
    url: str
    events: list[str]
    status: Literal["enabled", "disabled"]
    reason: str | None
    generation: int
    former_until: str | None
    registered_at: str
    changed_at: str
    waiting: int = 0
    failed: int = 0
    behind: dict[str, int] | None = None
    failures_in_row: int = 0
    failing_since: datetime | None = None
    resting_until: datetime | None = None
    succeeded_at: datetime | None = None


class WebhookEndpoints(Answer):
    items: list[WebhookEndpoint]


class EndpointRegistered(Answer):
    endpoint_id: str
    secret: str


class EndpointChanged(Answer):
    endpoint_id: str


class SecretRotated(Answer):
    endpoint_id: str
    generation: int
    secret: str


class EndpointTurned(Answer):
    endpoint_id: str
    status: Literal["enabled", "disabled"]


class EndpointRemoved(Answer):
    endpoint_id: str
    removed: Literal[True]


@router.get("", summary="List webhook endpoints", response_model=WebhookEndpoints, responses=refusals(*ASKED))
async def listed(context: Context, caller: Manager) -> Response:
    """All endpoints with the state of their deliveries. The newest comes first."""
    c = webhook_endpoints.c
    statement = sa.select(webhook_endpoints).where(c.status != "removed")
    rows = await context.rows(statement.order_by(c.registered_at.desc(), c.endpoint_id))
    snapshot = await run_sync(store_of(context).look)
    return answer({"items": [_shown(row, snapshot) for row in rows]})


@router.post(
    "",
    status_code=201,
    summary="Register a webhook endpoint",
    response_model=EndpointRegistered,
    responses=refusals(*DECIDED),
)
async def register(
    body: RegisterBody, context: Context, caller: Manager, request: Request, key: IdempotencyKey = None
) -> Response:
    """Answers with the signing `secret`. It is shown here and after a rotation only.

    The endpoint gets the events that are recorded from now on.
    """
    await _check_url(context, body.url)
    count = sa.select(sa.func.count().label("count")).where(webhook_endpoints.c.status != "removed")
    row = await context.row(count)
    if row and row["count"] >= MOST_ENDPOINTS:
        raise Problem(409, "too-many-webhooks", f"there are already {MOST_ENDPOINTS} endpoints; remove one first")
    endpoint_id = command_id = context.command_id(caller, request, key)
    command = RegisterWebhookEndpoint(endpoint_id=endpoint_id, name=body.name, url=body.url, events=tuple(body.events))
    await context.send(command, caller, command_id)
    return answer({"endpoint_id": endpoint_id, "secret": endpoint_secret(context.backend.secrets, endpoint_id, 1)}, 201)


@router.get(
    "/{endpoint_id}",
    summary="Show a webhook endpoint",
    response_model=WebhookEndpoint,
    responses=refusals(*ASKED, 404),
)
async def shown(endpoint_id: PathId, context: Context, caller: Manager) -> Response:
    row = await require_endpoint(context, caller, endpoint_id)
    return answer(_shown(row, await run_sync(store_of(context).look)))


@router.patch(
    "/{endpoint_id}",
    summary="Change a webhook endpoint",
    response_model=EndpointChanged,
    responses=refusals(*DECIDED),
)
async def change(
    endpoint_id: PathId,
    body: ChangeBody,
    context: Context,
    caller: Manager,
    request: Request,
    key: IdempotencyKey = None,
) -> Response:
    """If the new filter adds events of another service, the endpoint gets those recorded from now on."""
    if body.url is not None:
        await _check_url(context, body.url)
    events = None if body.events is None else tuple(body.events)
    command = ChangeWebhookEndpoint(endpoint_id=endpoint_id, name=body.name, url=body.url, events=events)
    await context.send(command, caller, context.command_id(caller, request, key))
    return answer({"endpoint_id": endpoint_id})


@router.post(
    "/{endpoint_id}/secret",
    summary="Rotate the signing secret",
    response_model=SecretRotated,
    responses=refusals(*DECIDED),
)
async def rotate(
    endpoint_id: PathId,
    body: RotateBody,
    context: Context,
    caller: Manager,
    request: Request,
    key: IdempotencyKey = None,
) -> Response:
    """Answers with the new `secret`. The former one keeps signing for a while."""
    own = context.backend.settings.of(GatewaySettings)
    overlap = own.webhook_overlap_seconds if body.overlap_seconds is None else body.overlap_seconds
    command_id = context.command_id(caller, request, key)
    command = RotateWebhookSecret(endpoint_id=endpoint_id, overlap_seconds=overlap)
    reply = await context.send(command, caller, command_id)
    generation = reply.answer["generation"]
    secret = endpoint_secret(context.backend.secrets, endpoint_id, generation)
    return answer({"endpoint_id": endpoint_id, "generation": generation, "secret": secret})


@router.post(
    "/{endpoint_id}/enable",
    summary="Enable a webhook endpoint",
    response_model=EndpointTurned,
    responses=refusals(*DECIDED),
)
async def enable(
    endpoint_id: PathId, context: Context, caller: Manager, request: Request, key: IdempotencyKey = None
) -> Response:
    """Deliveries go on where they stopped. To skip the missed events, redrive the endpoint `since` now."""
    command_id = context.command_id(caller, request, key)
    await context.send(EnableWebhookEndpoint(endpoint_id=endpoint_id), caller, command_id)
    return answer({"endpoint_id": endpoint_id, "status": "enabled"})


@router.post(
    "/{endpoint_id}/disable",
    summary="Disable a webhook endpoint",
    response_model=EndpointTurned,
    responses=refusals(*DECIDED),
)
async def disable(
    endpoint_id: PathId, context: Context, caller: Manager, request: Request, key: IdempotencyKey = None
) -> Response:
    command_id = context.command_id(caller, request, key)
    await require_endpoint(context, caller, endpoint_id)
    await context.send(DisableWebhookEndpoint(endpoint_id=endpoint_id, reason="asked"), caller, command_id)
    return answer({"endpoint_id": endpoint_id, "status": "disabled"})


@router.delete(
    "/{endpoint_id}",
    summary="Remove a webhook endpoint",
    response_model=EndpointRemoved,
    responses=refusals(*DECIDED),
)
async def remove(
    endpoint_id: PathId, context: Context, caller: Manager, request: Request, key: IdempotencyKey = None
) -> Response:
    """Deliveries that wait for the endpoint are dropped."""
    command_id = context.command_id(caller, request, key)
    await context.send(RemoveWebhookEndpoint(endpoint_id=endpoint_id), caller, command_id)
    return answer({"endpoint_id": endpoint_id, "removed": True})


def store_of(context: ApiContext) -> DeliveryStore:
    return DeliveryStore(context.backend.reads, context.backend.reads)


async def _check_url(context: ApiContext, url: str) -> None:
    """Raises Problem (422) for a URL that webhooks may not be posted to."""
    try:
        await check_reachable(url, resolve, private=context.backend.settings.of(GatewaySettings).webhook_private)
    except AddressRefused as error:
        raise Problem(422, "address-refused", str(error)) from None


async def require_endpoint(context: ApiContext, caller: Principal, endpoint_id: str) -> dict[str, Any]:
    """The row of an endpoint that was not removed. Raises Problem (404 or 503)."""
    c = webhook_endpoints.c
    row = await context.row(sa.select(webhook_endpoints).where(c.endpoint_id == endpoint_id, c.status != "removed"))
    if row is None:
        raise await context.absent(caller, "gateway", "webhook endpoint")
    return row


def _shown(row: dict[str, Any], snapshot: Snapshot) -> dict[str, Any]:
    endpoint_id: str = row["endpoint_id"]
    endpoint, queue = snapshot.endpoints.get(endpoint_id), snapshot.queues.get(endpoint_id, Queue())
    fields = {name: value for name, value in row.items() if name != "since"}
    if endpoint is None:
        return fields
    health = snapshot.health(endpoint)
    behind = {
        source: max(0, snapshot.reached.get(source, 0) - cursor.position)
        for source in sorted(sources_of(endpoint.events))
        if (cursor := snapshot.cursors.get((endpoint_id, source)))
    }
    return {
        **fields,
        "waiting": queue.waiting,
        "failed": queue.failed,
        "behind": behind,
        "failures_in_row": health.failures,
        "failing_since": _text(health.failing_since),
        "resting_until": _text(health.resting_until),
        "succeeded_at": _text(health.succeeded_at),
    }


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
