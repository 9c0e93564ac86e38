"""Signed callbacks of partners that could not be read, for the staff who find out what they were about."""

from __future__ import annotations

from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request, Response

from services.gateway.access.auth import Permission, Principal
from services.gateway.callbacks.projection import unread
from services.gateway.http.answers import ASKED, DECIDED, Answer, answer, refusals
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import Caller, Context, IdempotencyKey, may
from services.gateway.http.pages import Cursor, Limit, Page, page
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.shapes import Body, PathId, Reason
from shared.contracts.gateway import PartnerKind, Scrap, SettleUnread
from shared.readside.batched_query import BatchedQuery, Row

router = APIRouter(prefix="/v1", route_class=JsonRoute)
STATEMENT = BatchedQuery(unread.c.statement_id)
Status = Annotated[Literal["open", "settled"], Query(description="`open` statements wait for a person.")]


class UnreadStatement(Answer):
    """A callback that could not be read. `faults` says what is wrong with it, `scraps` has the few members that could
    be read, `size` is its number of bytes."""

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
    """What the callback was about, and how it was settled."""

    note: Reason


def _add_routes(kind: PartnerKind, path: str, tag: str, read: Permission, settle: Permission) -> None:
    """The two routes for the unread callbacks of one kind of partner, under a path and with its permissions."""

    @router.get(
        path,
        tags=[tag],
        summary=f"List callbacks of {kind}s that can't be read",
        dependencies=[Depends(may(read))],
        response_model=Page[UnreadStatement],
        responses=refusals(*ASKED),
    )
    async def list_unread(
        context: Context, status: Status = "open", limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        """Signed callbacks, with what is wrong with each and what could be read of it. Their bodies are not kept. The
        oldest comes first."""
        statement = sa.select(unread).where(unread.c.kind == kind, unread.c.status == status)
        by = (unread.c.told_at, unread.c.statement_id)
        return await page(context, statement, by, limit, cursor, ascending=True)

    @router.post(
        f"{path}/{{statement_id}}/settlement",
        tags=[tag],
        summary="Record that an unread callback was settled",
        dependencies=[Depends(may(settle))],
        response_model=UnreadStatement,
        responses=refusals(*DECIDED),
    )
    async def settle_unread(
        statement_id: PathId,
        body: UnreadSettlementBody,
        context: Context,
        caller: Caller,
        request: Request,
        key: IdempotencyKey = None,
    ) -> Response:
        await _statement(context, caller, kind, statement_id)
        command_id = context.command_id(caller, request, key)
        await context.send(SettleUnread(statement_id=statement_id, note=body.note), caller, command_id)
        return answer(await _statement(context, caller, kind, statement_id))


async def _statement(context: ApiContext, caller: Principal, kind: PartnerKind, statement_id: str) -> Row:
    """The statement. Raises Problem: 404, also for one of another kind of partner; 503 while it may yet be shown."""
    row = await context.found(STATEMENT, statement_id)
    if row is None or row["kind"] != kind:
        raise await context.absent(caller, "gateway", "statement")
    return row


_add_routes("channel", "/payments/unread", "money", Permission.PAYMENT_READ, Permission.LEDGER_POST)
_add_routes("supplier", "/suppliers/unread", "deliveries", Permission.SUPPLIER_READ, Permission.SUPPLIER_SETTLE)
