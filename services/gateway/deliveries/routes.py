"""Deliveries that wait for a person."""

from __future__ import annotations

from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.gateway.access.auth import Permission, Principal
from services.gateway.deliveries.projection import HANDED_OVER, deliveries
from services.gateway.http.answers import ASKED, DECIDED, Answer, answer, refusals
from services.gateway.http.depends import Context, IdempotencyKey, may
from services.gateway.http.pages import Cursor, Limit, Page, page
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.shapes import Body, PathId, Reason
from shared.contracts.fulfillment import ResolveDelivery

router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"], route_class=JsonRoute)
Resolver = Annotated[Principal, Depends(may(Permission.DELIVERY_RESOLVE))]


class ResolutionBody(Body):
    """`delivered` says whether the buyer has the goods. If not, the buyer gets the money of the line back."""

    delivered: Annotated[bool, Field(strict=True)]
    note: Reason


class Handover(Answer):
    """A delivery that was handed over to a person, with the reason."""

    order_id: str
    line: int
    delivery_id: str
    sku: str
    status: Literal["handed-over"]
    how: str | None
    quantity: int | None
    target: str | None
    supplier: str | None
    supplier_ref: str | None
    reason: str | None
    requested_at: str | None
    handed_over_at: str | None
    ended_at: str | None


class Resolution(Answer):
    delivery_id: str
    delivered: bool


@router.get(
    "/handovers",
    summary="List deliveries that wait for a person",
    response_model=Page[Handover],
    responses=refusals(*ASKED),
)
async def handovers(context: Context, caller: Resolver, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """The deliveries that have waited longest come first."""
    columns = [column for column in deliveries.c if column.name not in ("envelope", "numbers")]
    statement = sa.select(*columns).where(deliveries.c.status == HANDED_OVER)
    by = (deliveries.c.handed_over_at, deliveries.c.delivery_id)
    return await page(context, statement, by, limit, cursor, ascending=True)


@router.post(
    "/handovers/{delivery_id:path}/resolution",
    summary="Record the outcome of a delivery",
    response_model=Resolution,
    responses=refusals(*DECIDED),
)
async def resolve(
    delivery_id: PathId,
    body: ResolutionBody,
    context: Context,
    caller: Resolver,
    request: Request,
    key: IdempotencyKey = None,
) -> Response:
    command_id = context.command_id(caller, request, key)
    command = ResolveDelivery(delivery_id=delivery_id, delivered=body.delivered, note=body.note)
    await context.send(command, caller, command_id)
    return answer({"delivery_id": delivery_id, "delivered": body.delivered})
