"""Webhook endpoints, and how deliveries to them go."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field, model_validator

from services.gateway.access.auth import Permission, Principal
from services.gateway.feed.routes import MOST_POSITION, Source
from services.gateway.http.answers import ASKED, DECIDED, Answer, answer, refusals
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import Context, IdempotencyKey, may
from services.gateway.http.pages import Cursor as PageCursor
from services.gateway.http.pages import Limit, Page, page
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.problems import Problem
from services.gateway.http.shapes import Body, CodeFilter, PathId, ShownName, When
from services.gateway.settings import GatewaySettings
from services.gateway.webhooks import pings
from services.gateway.webhooks.addresses import AddressRefused, check_reachable, resolve
from services.gateway.webhooks.delivery_store import DeliveryStore
from services.gateway.webhooks.filters import sources_of
from services.gateway.webhooks.position_search import position_at
from services.gateway.webhooks.projection import webhook_endpoints
from services.gateway.webhooks.signing import endpoint_secret
from services.gateway.webhooks.snapshot import Delivery, Endpoint, Queue, Snapshot
from services.gateway.webhooks.tables import attempts, deliveries
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
    """What is left out stays as it is."""

    name: ShownName | None = None
    url: Url | None = None
    events: Patterns | None = None


class RotateBody(Body):
    """For how long the former secret signs as well; as the settings say when left out."""

    overlap_seconds: Annotated[int, Field(ge=0, le=30 * 86_400, strict=True)] | None = None


class PlaceBody(Body):
    """An event, by its place in a service's log."""

    source: Source
    position: Annotated[int, Field(ge=1, le=MOST_POSITION, strict=True)]


class RedriveBody(Body):
    """One of four: an `event`; all that were given up (`failed`); a log `from` a place on; all logs `since` a time."""

    event: PlaceBody | None = None
    failed: Literal[True] | None = None
    from_: Annotated[PlaceBody | None, Field(alias="from")] = None
    since: When | None = None

    @model_validator(mode="after")
    def _one(self) -> RedriveBody:
        if sum(one is not None for one in (self.event, self.failed, self.from_, self.since)) != 1:
            raise ValueError("exactly one of event, failed, from and since is needed")
        return self


class WebhookEndpoint(Answer):
    """An endpoint, with how its deliveries go, as soon as that is known: `behind` counts the events of each service's
    log that are still to be looked at."""

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


class EventAsked(Answer):
    """The event that is posted, by its `webhook-id`."""

    event_id: str


class FailedAsked(Answer):
    """How many events are tried again."""

    events: int


class LogsAsked(Answer):
    """From which position of which log on they are posted again."""

    from_: Annotated[dict[str, int], Field(alias="from")]


class WebhookAttempt(Answer):
    """`status` is the HTTP status that was answered, `answer` how it began; `next_at` is when it is tried again."""

    attempt_id: str
    endpoint_id: str
    event_id: str
    source: str
    position: int
    type: str
    number: int
    at: str
    outcome: Literal["delivered", "failed", "given-up"]
    status: int | None
    error: str | None
    answer: str | None
    milliseconds: int
    next_at: str | None


class WebhookDelivery(Answer):
    """An event that failed `tries` times."""

    endpoint_id: str
    event_id: str
    source: str
    position: int
    type: str
    state: Literal["waiting", "failed"]
    tries: int
    first_at: str | None
    due_at: str


@router.get("", summary="List webhook endpoints", response_model=WebhookEndpoints, responses=refusals(*ASKED))
async def listed(context: Context, caller: Manager) -> Response:
    """All of them, the newest first, with how their deliveries go."""
    c = webhook_endpoints.c
    statement = sa.select(webhook_endpoints).where(c.status != "removed")
    rows = await context.rows(statement.order_by(c.registered_at.desc(), c.endpoint_id))
    snapshot = await run_sync(_store(context).look)
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
    """Answers the signing `secret`: it is shown here, after a rotation, and nowhere else.

    The endpoint is told of what is recorded from now on.
    """
    await _check(context, body.url)
    count = sa.select(sa.func.count().label("count")).where(webhook_endpoints.c.status != "removed")
    counted = await context.row(count)
    if counted and counted["count"] >= MOST_ENDPOINTS:
        raise Problem(409, "too-many-webhooks", f"there are {MOST_ENDPOINTS} endpoints already: remove one first")
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
    row = await _row(context, caller, endpoint_id)
    return answer(_shown(row, await run_sync(_store(context).look)))


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
    """A filter that takes in another service's events does so from now on."""
    if body.url is not None:
        await _check(context, body.url)
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
    """Answers the new `secret`. The former one signs beside it for a while."""
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
    """It takes up where it stopped; redrive it `since` now to leave out what it missed."""
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
    await _row(context, caller, endpoint_id)
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
    """What waits for it is dropped."""
    command_id = context.command_id(caller, request, key)
    await context.send(RemoveWebhookEndpoint(endpoint_id=endpoint_id), caller, command_id)
    return answer({"endpoint_id": endpoint_id, "removed": True})


@router.post(
    "/{endpoint_id}/ping",
    status_code=202,
    summary="Post a test event",
    response_model=EventAsked,
    responses=refusals(*ASKED, 404),
)
async def ping(endpoint_id: PathId, context: Context, caller: Manager) -> Response:
    """Once, to a disabled endpoint too. The attempts of this `event_id` tell what came of it."""
    await _row(context, caller, endpoint_id)
    delivery = pings.ping(context.backend.ids.new_id())
    await run_sync(_store(context).ask_again, endpoint_id, delivery, context.backend.clock.now())
    return answer({"event_id": delivery.event_id}, 202)


@router.get(
    "/{endpoint_id}/attempts",
    summary="List attempts",
    response_model=Page[WebhookAttempt],
    responses=refusals(*ASKED),
)
async def attempted(
    endpoint_id: PathId,
    context: Context,
    caller: Manager,
    outcome: Literal["delivered", "failed", "given-up"] | None = None,
    event_id: CodeFilter = None,
    type: CodeFilter = None,
    limit: Limit = 50,
    cursor: PageCursor = None,
) -> Response:
    """The newest first, of the last 14 days."""
    c = attempts.c
    statement = sa.select(attempts).where(c.endpoint_id == endpoint_id)
    for column, wanted in ((c.outcome, outcome), (c.event_id, event_id), (c.type, type)):
        if wanted is not None:
            statement = statement.where(column == wanted)
    return await page(context, statement, (c.at, c.attempt_id), limit, cursor)


@router.get(
    "/{endpoint_id}/deliveries",
    summary="List what waits or was given up",
    response_model=Page[WebhookDelivery],
    responses=refusals(*ASKED),
)
async def undelivered(
    endpoint_id: PathId,
    context: Context,
    caller: Manager,
    state: Literal["waiting", "failed"] | None = None,
    limit: Limit = 50,
    cursor: PageCursor = None,
) -> Response:
    """Events that failed at least once: `waiting` for the next try, or `failed`, given up. The latest due first."""
    c = deliveries.c
    statement = sa.select(deliveries).where(c.endpoint_id == endpoint_id)
    if state is not None:
        statement = statement.where(c.state == state)
    return await page(context, statement, (c.due_at, c.event_id), limit, cursor)


@router.post(
    "/{endpoint_id}/redrive",
    status_code=202,
    summary="Deliver again",
    response_model=EventAsked | FailedAsked | LogsAsked,
    responses=refusals(*ASKED, 404, 413),
)
async def redrive(endpoint_id: PathId, body: RedriveBody, context: Context, caller: Manager) -> Response:
    """Under the same `webhook-id`s, so a receiver that remembers them takes each once."""
    await _row(context, caller, endpoint_id)
    store, now = _store(context), context.backend.clock.now()
    if body.event is not None:
        delivery = await _event(context, body.event)
        await run_sync(store.ask_again, endpoint_id, delivery, now)
        return answer({"event_id": delivery.event_id}, 202)
    if body.failed:
        return answer({"events": await run_sync(store.ask_all_failed_again, endpoint_id, now)}, 202)
    snapshot = await run_sync(store.look)
    endpoint = snapshot.endpoints[endpoint_id]
    places = await _places(context, endpoint, snapshot, body.from_, body.since)
    for source, position in places.items():
        await run_sync(store.start_at, endpoint_id, source, endpoint.since_of(source), position)
    return answer({"from": {source: position + 1 for source, position in sorted(places.items())}}, 202)


async def _places(
    context: ApiContext, endpoint: Endpoint, snapshot: Snapshot, place: PlaceBody | None, since: datetime | None
) -> dict[str, int]:
    """Behind which position of which log to go on."""
    sources = sources_of(endpoint.events)
    if place is None:
        assert since is not None
        pull = context.backend.pull
        return {source: await position_at(pull, source, snapshot.reached.get(source, 0), since) for source in sources}
    if place.source not in sources:
        raise Problem(422, "not-told-of", "the filter lets no event of this service through", {"source": place.source})
    if place.position > snapshot.reached.get(place.source, 0) + 1:
        raise Problem(422, "beyond-the-end", "the log does not reach that far yet", {"source": place.source})
    return {place.source: place.position - 1}


async def _event(context: ApiContext, place: PlaceBody) -> Delivery:
    events = (await context.backend.pull(place.source, place.position - 1, 1)).events
    if not events:
        raise Problem(404, "not-found", "there is no such event")
    return Delivery(events[0].id, place.source, events[0].position, events[0].type)


def _store(context: ApiContext) -> DeliveryStore:
    return DeliveryStore(context.backend.reads, context.backend.reads)


async def _check(context: ApiContext, url: str) -> None:
    """Raises Problem (422) for a URL that nothing is to be posted to."""
    try:
        await check_reachable(url, resolve, private=context.backend.settings.of(GatewaySettings).webhook_private)
    except AddressRefused as error:
        raise Problem(422, "address-refused", str(error)) from None


async def _row(context: ApiContext, caller: Principal, endpoint_id: str) -> dict[str, Any]:
    c = webhook_endpoints.c
    row = await context.row(sa.select(webhook_endpoints).where(c.endpoint_id == endpoint_id, c.status != "removed"))
    if row is None:
        raise await context.absent(caller, "gateway", "webhook endpoint")
    return row


def _shown(row: dict[str, Any], snapshot: Snapshot) -> dict[str, Any]:
    endpoint_id: str = row["endpoint_id"]
    endpoint, queue = snapshot.endpoints.get(endpoint_id), snapshot.queues.get(endpoint_id, Queue())
    told = {name: value for name, value in row.items() if name != "since"}
    if endpoint is None:
        return told
    health = snapshot.health(endpoint)
    behind = {
        source: max(0, snapshot.reached.get(source, 0) - cursor.position)
        for source in sorted(sources_of(endpoint.events))
        if (cursor := snapshot.cursors.get((endpoint_id, source)))
    }
    return {
        **told,
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
