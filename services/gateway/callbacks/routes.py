"""Signed statements of partners that could not be read, for the people who find out what they were about."""

from __future__ import annotations

from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request, Response

from services.gateway.access.auth import Permission, Principal
from services.gateway.callbacks.projection import unread
from services.gateway.http.answers import ASKED, DECIDED, Answer, answer, refusals
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import Context, IdempotencyKey, may
from services.gateway.http.pages import Cursor, Limit, Page, page
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.shapes import Body, PathId, Reason
from shared.contracts.gateway import PartnerKind, Scrap, SettleUnread
from shared.readside.batched_query import BatchedQuery, Row

router = APIRouter(prefix="/v1", route_class=JsonRoute)
PaymentReader = Annotated[Principal, Depends(may(Permission.PAYMENT_READ))]
Bookkeeper = Annotated[Principal, Depends(may(Permission.LEDGER_POST))]
SupplierReader = Annotated[Principal, Depends(may(Permission.SUPPLIER_READ))]
Settler = Annotated[Principal, Depends(may(Permission.SUPPLIER_SETTLE))]
STATEMENT = BatchedQuery(unread.c.statement_id)
Status = Annotated[Literal["open", "settled"], Query(description="`open` ones wait for a person.")]


class UnreadStatement(Answer):
    """`faults` is what is wrong with it, `scraps` the few members of it that could be read, `size` its bytes."""

    statement_id: str
    kind: PartnerKind
    partner: str
    faults: list[str]
    scraps: list[Scrap]
    size: int
    status: Literal["open", "settled"]
    told_at: str
    settled_at: str | None
    settled_by: str | None
    note: str | None


class UnreadSettlementBody(Body):
    """What it was about, and how it was seen to."""

    note: Reason


@router.get(
    "/payments/unread",
    tags=["money"],
    summary="What channels told that can't be read",
    response_model=Page[UnreadStatement],
    responses=refusals(*ASKED),
)
async def of_channels(
    context: Context, caller: PaymentReader, status: Status = "open", limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Signed callbacks: what is wrong with each, and what can be read of it. What waits longest first."""
    return await _listed(context, "channel", status, limit, cursor)


@router.post(
    "/payments/unread/{statement_id}/settlement",
    tags=["money"],
    summary="Record that it was found out and seen to",
    response_model=UnreadStatement,
    responses=refusals(*DECIDED),
)
async def settle_of_channel(
    statement_id: PathId,
    body: UnreadSettlementBody,
    context: Context,
    caller: Bookkeeper,
    request: Request,
    key: IdempotencyKey = None,
) -> Response:
    return await _settle(context, caller, request, key, "channel", statement_id, body)


@router.get(
    "/suppliers/unread",
    tags=["deliveries"],
    summary="What suppliers told that can't be read",
    response_model=Page[UnreadStatement],
    responses=refusals(*ASKED),
)
async def of_suppliers(
    context: Context, caller: SupplierReader, status: Status = "open", limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """As that of channels. Texts that came with it were not kept."""
    return await _listed(context, "supplier", status, limit, cursor)


@router.post(
    "/suppliers/unread/{statement_id}/settlement",
    tags=["deliveries"],
    summary="Record that it was found out and seen to",
    response_model=UnreadStatement,
    responses=refusals(*DECIDED),
)
async def settle_of_supplier(
    statement_id: PathId,
    body: UnreadSettlementBody,
    context: Context,
    caller: Settler,
    request: Request,
    key: IdempotencyKey = None,
) -> Response:
    return await _settle(context, caller, request, key, "supplier", statement_id, body)


async def _listed(context: ApiContext, kind: PartnerKind, status: str, limit: int, cursor: str | None) -> Response:
    statement = sa.select(unread).where(unread.c.kind == kind, unread.c.status == status)
    by = (unread.c.told_at, unread.c.statement_id)
    return await page(context, statement, by, limit, cursor, ascending=True)


async def _settle(
    context: ApiContext,
    caller: Principal,
    request: Request,
    key: str | None,
    kind: PartnerKind,
    statement_id: str,
    body: UnreadSettlementBody,
) -> Response:
    await _statement(context, caller, kind, statement_id)
    command_id = context.command_id(caller, request, key)
    await context.send(SettleUnread(statement_id=statement_id, note=body.note), caller, command_id)
    return answer(await _statement(context, caller, kind, statement_id))


async def _statement(context: ApiContext, caller: Principal, kind: PartnerKind, statement_id: str) -> Row:
    """Raises Problem: 404, also for one of a partner of another kind, or 503 when it may be there."""
    row = await context.found(STATEMENT, statement_id)
    if row is None or row["kind"] != kind:
        raise await context.absent(caller, "gateway", "statement")
    return row
