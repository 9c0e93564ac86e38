"""Received money that matches no payment, for staff to settle."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from services.gateway.access.auth import Permission, Principal
from services.gateway.access.customers import require_customer
from services.gateway.http.answers import ASKED, DECIDED, answer, refusals
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import Context, IdempotencyKey, may
from services.gateway.http.pages import Cursor, Limit, Page, page
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.shapes import Body, Name, Note, PathId, Reason
from services.gateway.unmatched.answers import UnmatchedItem, rendered_item
from services.gateway.unmatched.projection import unmatched
from shared.contracts import Command
from shared.contracts.ledger import GiveBackPayment, MatchPayment, SettlePayment
from shared.readside.batched_query import BatchedQuery, Row

router = APIRouter(prefix="/v1/payments", tags=["money"], route_class=JsonRoute)
Reader = Annotated[Principal, Depends(may(Permission.PAYMENT_READ))]
Bookkeeper = Annotated[Principal, Depends(may(Permission.LEDGER_POST))]
Refunder = Annotated[Principal, Depends(may(Permission.ORDER_REFUND))]
ITEM = BatchedQuery(unmatched.c.item)
Status = Annotated[
    Literal["open", "returning", "settled"],
    Query(description="`open` items wait for a person, `returning` ones for the channel; `settled` ones are done."),
]


class MatchBody(Body):
    wallet: Annotated[Name, Field(max_length=60, description="The customer whose wallet gets the money.")] | None = None
    note: Note = ""


class NoteBody(Body):
    note: Note = ""


class HandBody(Body):
    """How it was settled. The books keep the note beside the entry."""

    note: Reason


@router.get(
    "/unmatched",
    summary="List received money that matches no payment",
    response_model=Page[UnmatchedItem],
    responses=refusals(*ASKED),
)
async def listed(
    context: Context, caller: Reader, status: Status = "open", limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """The items that have waited longest come first."""
    statement = sa.select(unmatched).where(unmatched.c.status == status)
    by = (unmatched.c.opened_at, unmatched.c.item)
    return await page(context, statement, by, limit, cursor, ascending=True, render=rendered_item)


async def _item(context: ApiContext, caller: Principal, item: str) -> Row:
    """The row of the item. Raises Problem: 404, or 503 while it may yet be shown."""
    row = await context.found(ITEM, item)
    if row is None:
        raise await context.absent(caller, "ledger", "unmatched payment")
    return row


async def _finish(
    context: ApiContext, caller: Principal, row: Row, command: Command, command_id: str
) -> dict[str, Any]:
    """Send a command about this item, and return the item as it is afterwards."""
    await context.send(command, caller, command_id, flow=row["payment_id"])
    return rendered_item(await _item(context, caller, row["item"]))


@router.post(
    "/unmatched/{item}/match",
    summary="Match the money to its order or deposit",
    response_model=UnmatchedItem,
    responses=refusals(*DECIDED),
)
async def match(
    item: PathId, body: MatchBody, context: Context, caller: Bookkeeper, request: Request, key: IdempotencyKey = None
) -> Response:
    """An order is then fully paid: the shop adds what is missing, and what is too much goes back. A deposit gets the
    amount that came. With `wallet`, the money goes to this customer's wallet instead."""
    if body.wallet is not None:
        await require_customer(context, caller, body.wallet)
    row = await _item(context, caller, item)
    command = MatchPayment(payment_id=row["payment_id"], item=item, wallet=body.wallet, note=body.note)
    return answer(await _finish(context, caller, row, command, context.command_id(caller, request, key)))


@router.post(
    "/unmatched/{item}/return",
    status_code=202,
    summary="Give the money back",
    response_model=UnmatchedItem,
    responses=refusals(*DECIDED),
)
async def give_back(
    item: PathId, body: NoteBody, context: Context, caller: Refunder, request: Request, key: IdempotencyKey = None
) -> Response:
    """The channel is asked to pay back exactly what came. If it refuses, the item is open again."""
    row = await _item(context, caller, item)
    command = GiveBackPayment(payment_id=row["payment_id"], item=item, note=body.note)
    return answer(await _finish(context, caller, row, command, context.command_id(caller, request, key)), 202)


@router.post(
    "/unmatched/{item}/settlement",
    summary="Record that the item was settled in another way",
    response_model=UnmatchedItem,
    responses=refusals(*DECIDED),
)
async def settle(
    item: PathId, body: HandBody, context: Context, caller: Bookkeeper, request: Request, key: IdempotencyKey = None
) -> Response:
    """The booked amount moves from the suspense account to `by-hand:<channel>`."""
    row = await _item(context, caller, item)
    command = SettlePayment(payment_id=row["payment_id"], item=item, note=body.note)
    return answer(await _finish(context, caller, row, command, context.command_id(caller, request, key)))
