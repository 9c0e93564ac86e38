"""Deliveries to webhook endpoints: test events, attempts, what waits, and delivering again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import sqlalchemy as sa
from anyio.to_thread import run_sync
from fastapi import APIRouter, Response
from pydantic import Field, model_validator

from services.gateway.feed.routes import MOST_POSITION, Source
from services.gateway.http.answers import ASKED, Answer, answer, refusals
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import Context
from services.gateway.http.pages import Cursor, Limit, Page, page
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.problems import Problem
from services.gateway.http.shapes import Body, CodeFilter, PathId, When
from services.gateway.webhooks import pings
from services.gateway.webhooks.filters import sources_of
from services.gateway.webhooks.position_search import position_at
from services.gateway.webhooks.routes import Manager, require_endpoint, store_of
from services.gateway.webhooks.snapshot import Delivery, Endpoint, Snapshot
from services.gateway.webhooks.tables import attempts, deliveries

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=JsonRoute)


class PositionBody(Body):
    """An event, by its position in a service's log."""

    source: Source
    position: Annotated[int, Field(ge=1, le=MOST_POSITION, strict=True)]


class RedriveBody(Body):
    """What to deliver again, one of four: an `event`, all events that were given up (`failed`), a log `from` a position
    on, or all logs `since` a time."""

    event: PositionBody | None = None
    failed: Literal[True] | None = None
    from_: Annotated[PositionBody | None, Field(alias="from")] = None
    since: When | None = None

    @model_validator(mode="after")
    def _one(self) -> RedriveBody:
        if sum(part is not None for part in (self.event, self.failed, self.from_, self.since)) != 1:
            raise ValueError("exactly one of event, failed, from and since is needed")
        return self


class EventAsked(Answer):
    """The event that will be posted, by its `webhook-id`."""

    event_id: str


class FailedAsked(Answer):
    """The number of events that will be tried again."""

    events: int


class LogsAsked(Answer):
    """The positions from which the events of each log will be posted again."""

    from_: Annotated[dict[str, int], Field(alias="from")]


class WebhookAttempt(Answer):
    """An attempt. `status` is the HTTP status of the answer, `answer` its beginning; `next_at` is the time of the next
    attempt."""

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


@router.post(
    "/{endpoint_id}/ping",
    status_code=202,
    summary="Post a test event",
    response_model=EventAsked,
    responses=refusals(*ASKED, 404),
)
async def ping(endpoint_id: PathId, context: Context, caller: Manager) -> Response:
    """Posts once, also to a disabled endpoint. Look up the attempts of this `event_id` for the result."""
    await require_endpoint(context, caller, endpoint_id)
    delivery = pings.ping(context.backend.ids.new_id())
    await run_sync(store_of(context).ask_again, endpoint_id, delivery, context.backend.clock.now())
    return answer({"event_id": delivery.event_id}, 202)


@router.get(
    "/{endpoint_id}/attempts",
    summary="List attempts",
    response_model=Page[WebhookAttempt],
    responses=refusals(*ASKED),
)
async def list_attempts(
    endpoint_id: PathId,
    context: Context,
    caller: Manager,
    outcome: Literal["delivered", "failed", "given-up"] | None = None,
    event_id: CodeFilter = None,
    type: CodeFilter = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The attempts of the last 14 days. The newest comes first."""
    c = attempts.c
    statement = sa.select(attempts).where(c.endpoint_id == endpoint_id)
    for column, value in ((c.outcome, outcome), (c.event_id, event_id), (c.type, type)):
        if value is not None:
            statement = statement.where(column == value)
    return await page(context, statement, (c.at, c.attempt_id), limit, cursor)


@router.get(
    "/{endpoint_id}/deliveries",
    summary="List deliveries that wait or were given up",
    response_model=Page[WebhookDelivery],
    responses=refusals(*ASKED),
)
async def list_undelivered(
    endpoint_id: PathId,
    context: Context,
    caller: Manager,
    state: Literal["waiting", "failed"] | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Events that failed at least once. They are `waiting` for the next attempt, or `failed` when they were given up.
    The latest due comes first."""
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
    """Events keep their `webhook-id`s, so a receiver that remembers them takes each once."""
    await require_endpoint(context, caller, endpoint_id)
    store, now = store_of(context), context.backend.clock.now()
    if body.event is not None:
        delivery = await _event(context, body.event)
        await run_sync(store.ask_again, endpoint_id, delivery, now)
        return answer({"event_id": delivery.event_id}, 202)
    if body.failed:
        return answer({"events": await run_sync(store.ask_all_failed_again, endpoint_id, now)}, 202)
    snapshot = await run_sync(store.look)
    endpoint = snapshot.endpoints[endpoint_id]
    positions = await _positions(context, endpoint, snapshot, body.from_, body.since)
    for source, position in positions.items():
        await run_sync(store.start_at, endpoint_id, source, endpoint.since_of(source), position)
    return answer({"from": {source: position + 1 for source, position in sorted(positions.items())}}, 202)


async def _positions(
    context: ApiContext, endpoint: Endpoint, snapshot: Snapshot, start: PositionBody | None, since: datetime | None
) -> dict[str, int]:
    """For each log to deliver again, the position before its first event. Raises Problem (422)."""
    sources = sources_of(endpoint.events)
    if start is None:
        assert since is not None
        pull = context.backend.pull
        return {source: await position_at(pull, source, snapshot.reached.get(source, 0), since) for source in sources}
    if start.source not in sources:
        raise Problem(
            422, "not-told-of", "the endpoint's filter lets no event of this service through", {"source": start.source}
        )
    if start.position > snapshot.reached.get(start.source, 0) + 1:
        raise Problem(422, "beyond-the-end", "the log ends before this position", {"source": start.source})
    return {start.source: start.position - 1}


async def _event(context: ApiContext, place: PositionBody) -> Delivery:
    events = (await context.backend.pull(place.source, place.position - 1, 1)).events
    if not events:
        raise Problem(404, "not-found", "there is no such event")
    return Delivery(events[0].id, place.source, events[0].position, events[0].type)
