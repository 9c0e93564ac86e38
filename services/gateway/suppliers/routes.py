"""What suppliers tell of purchases, and what staff decide where it does not fit."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import Field, model_validator

from services.gateway.access.auth import Permission, Principal
from services.gateway.callbacks import receiving
from services.gateway.http.answers import ASKED, DECIDED, Answer, answer, refusals
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import ClientIp, Context, IdempotencyKey, may
from services.gateway.http.pages import Cursor, Limit, Page, page
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.problems import Problem, not_found
from services.gateway.http.shapes import Amount, Body, CodeFilter, PathId, Reason
from services.gateway.suppliers.projection import reports, statements
from shared.contracts.fulfillment import (
    OpenGoods,
    OpenReport,
    PurchaseReport,
    SettleStatement,
    WinClaim,
    report_id,
    statement_id,
)
from shared.contracts.inventory import SealedKey
from shared.security.sealing import CannotOpen, KeyPair, Opener, keypair_from_secret
from shared.security.texts import TextSealing

Reader = Annotated[Principal, Depends(may(Permission.SUPPLIER_READ))]
Settler = Annotated[Principal, Depends(may(Permission.SUPPLIER_SETTLE))]
Status = Annotated[
    Literal["open", "cost", "claim", "won", "agrees"] | None,
    Query(description="`open` are those that wait for a person."),
]
ReportStatus = Annotated[
    Literal["open", "opened", "told"] | None,
    Query(description="`open` are those whose texts nobody has read; `told` came without any."),
]
NOT_KEPT = {"Cache-Control": "no-store"}
router = APIRouter(prefix="/v1/suppliers", tags=["deliveries"], route_class=JsonRoute)


class Recorded(Answer):
    outcome: Literal["recorded"]


class SupplierStatement(Answer):
    """`cost` is what the supplier named, `bill` what was booked of it, both in minor units; `goods` counts the texts
    that came with it."""

    statement_id: str
    delivery_id: str
    order_id: str
    line: int
    sku: str
    supplier: str
    finding: str
    outcome: str
    supplier_ref: str
    reason: str
    cost: int | None
    cost_currency: str | None
    bill: int | None
    bill_currency: str | None
    status: Literal["open", "cost", "claim", "won", "agrees"]
    told_at: str
    settled_at: str | None
    settled_by: str | None
    note: str | None
    goods: int | None


class SupplierReport(Answer):
    """As a statement, of a purchase that was never asked of this supplier."""

    report_id: str
    delivery_id: str
    order_id: str | None
    supplier: str
    outcome: str
    supplier_ref: str
    reason: str
    cost: int | None
    cost_currency: str | None
    goods: int | None
    status: Literal["open", "opened", "told"]
    told_at: str
    opened_at: str | None
    opened_by: str | None
    note: str | None


class Settled(Answer):
    statement_id: str
    status: Literal["cost", "claim", "won"]


class GoodsOfStatement(Answer):
    statement_id: str
    goods: list[str]


class GoodsOfReport(Answer):
    report_id: str
    goods: list[str]


@router.post(
    "/callbacks/{supplier}",
    summary="A supplier tells of a purchase",
    response_model=Recorded,
    responses=refusals(401, 404, 409, 413, 429, 504),
)
async def called_back(
    supplier: PathId,
    request: Request,
    context: Context,
    ip: ClientIp,
    timestamp: Annotated[str, Header(alias=receiving.TIMESTAMP_HEADER)] = "",
    signature: Annotated[str, Header(alias=receiving.SIGNATURE_HEADER)] = "",
) -> Response:
    """Signed with the secret shared with the supplier, and bound to a purchase that was asked of it. What is told of
    any other (409 `wrong-supplier`), and what can't be read (422), is recorded and shown to staff, but not without end:
    409 `too-many-reports` was not recorded."""
    if supplier not in context.backend.settings.suppliers:
        raise not_found("supplier")
    who = receiving.Partner("supplier", supplier)
    told = await receiving.receive(context, request, ip, who, timestamp, signature, PurchaseReport)
    if not told.authentic:
        raise receiving.forged()
    try:
        command = told.content.told_by(supplier)
    except ValueError:
        problem = Problem(422, "wrong-supplier", "this purchase was not asked of this supplier")
        await receiving.keep_unread(context, who, await request.body(), [str(problem.detail)])
        raise problem from None
    if told.content.goods:
        secrets, random_bytes = context.backend.secrets, context.backend.ids.random_bytes
        public = keypair_from_secret(secrets.get("fulfillment-sealing")).public
        sealing = TextSealing(public, secrets.get("blind-index"), random_bytes)
        sealed = await run_sync(sealing.sealed, told.content.goods, told.content.request_id)
        command = told.content.told_by(supplier, tuple(SealedKey(index=index, box=box) for index, box in sealed))
    reply = await context.send(command, who.principal, context.backend.ids.new_id())
    if reply.answer.get("reason") == "wrong-supplier":
        detail = "it was recorded; this supplier was not asked for this delivery: staff are told"
        raise Problem(409, "wrong-supplier", detail)
    if reply.answer.get("reason") == "too-many-reports":
        detail = "it was not recorded; this supplier was not asked for this delivery, and told too much of it before"
        raise Problem(409, "too-many-reports", detail)
    return answer({"outcome": "recorded"})


class SettlementBody(Body):
    """We bear it as a `cost`, or hold the supplier for it with a `claim`. A claim ends as `won`, when the supplier
    credits it, or as a `cost`, when it is lost.

    `cost` is what a bill that could not be believed really is, where we bear it: only then is it booked.
    """

    decision: Literal["cost", "claim", "won"]
    cost: Amount | None = None
    note: Reason

    @model_validator(mode="after")
    def _only_what_is_borne_costs(self) -> SettlementBody:
        if self.cost is not None and self.decision == "won":
            raise ValueError("only a doubtful bill that we bear is given its cost")
        return self


def _asked(rows: sa.Select[Any], columns: Any, status: str | None, supplier: str | None) -> sa.Select[Any]:
    """Those of a status and a supplier, where they are asked for."""
    for column, wanted in ((columns.status, status), (columns.supplier, supplier)):
        if wanted is not None:
            rows = rows.where(column == wanted)
    return rows


@router.get(
    "/statements",
    summary="What suppliers said that did not fit what had become of a purchase",
    response_model=Page[SupplierStatement],
    responses=refusals(*ASKED),
)
async def told(
    context: Context,
    caller: Reader,
    status: Status = None,
    supplier: CodeFilter = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Those told first come first."""
    asked = _asked(sa.select(statements), statements.c, status, supplier)
    by = (statements.c.told_at, statements.c.statement_id)
    return await page(context, asked, by, limit, cursor, ascending=True)


@router.post(
    "/statements/{delivery_id:path}/s{number}/settlement",
    summary="Say who bears what a supplier said and billed",
    response_model=Settled,
    responses=refusals(*DECIDED),
)
async def settle(
    delivery_id: PathId,
    number: Annotated[int, Field(ge=1, le=10**6)],
    body: SettlementBody,
    context: Context,
    caller: Settler,
    request: Request,
    key: IdempotencyKey = None,
) -> Response:
    command_id = context.command_id(caller, request, key)
    if body.decision == "won":
        command = WinClaim(delivery_id=delivery_id, statement=number, note=body.note)
    else:
        cost = body.cost.money() if body.cost else None
        command = SettleStatement(
            delivery_id=delivery_id, statement=number, note=body.note, decision=body.decision, cost=cost
        )
    await context.send(command, caller, command_id)
    return answer({"statement_id": statement_id(delivery_id, number), "status": body.decision})


class OpeningBody(Body):
    """Why they are read."""

    note: Reason


@router.post(
    "/statements/{delivery_id:path}/s{number}/goods",
    summary="Read the texts that came with a statement",
    response_model=GoodsOfStatement,
    responses=refusals(*DECIDED),
)
async def goods(
    delivery_id: PathId,
    number: Annotated[int, Field(ge=1, le=10**6)],
    body: OpeningBody,
    context: Context,
    caller: Settler,
    request: Request,
    key: IdempotencyKey = None,
) -> Response:
    """Who read them is in the log. Use them for another buyer, or have the supplier take them back."""
    command_id = context.command_id(caller, request, key)
    reader = _reader(context, command_id)
    command = OpenGoods(delivery_id=delivery_id, statement=number, note=body.note, reader_key=reader.public)
    told = statement_id(delivery_id, number)
    texts = await _read(context, caller, command, command_id, reader, told)
    return answer({"statement_id": told, "goods": texts}, headers=NOT_KEPT)


@router.get(
    "/reports",
    summary="What suppliers told of purchases that were never asked of them",
    response_model=Page[SupplierReport],
    responses=refusals(*ASKED),
)
async def reported(
    context: Context,
    caller: Reader,
    status: ReportStatus = None,
    supplier: CodeFilter = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Those told first come first."""
    shown = sa.select(*(column for column in reports.c if column is not reports.c.reports))
    by = (reports.c.told_at, reports.c.report_id)
    return await page(context, _asked(shown, reports.c, status, supplier), by, limit, cursor, ascending=True)


@router.post(
    "/reports/{delivery_id:path}/r{number}/goods",
    summary="Read the texts that came with such a report",
    response_model=GoodsOfReport,
    responses=refusals(*DECIDED),
)
async def reported_goods(
    delivery_id: PathId,
    number: Annotated[int, Field(ge=1, le=10**6)],
    body: OpeningBody,
    context: Context,
    caller: Settler,
    request: Request,
    key: IdempotencyKey = None,
) -> Response:
    """Who read them is in the log. They are known as sent: no stock takes them. Have the supplier take them back, or
    hand them to a buyer who waits for a person."""
    command_id = context.command_id(caller, request, key)
    reader = _reader(context, command_id)
    command = OpenReport(delivery_id=delivery_id, report=number, note=body.note, reader_key=reader.public)
    told = report_id(delivery_id, number)
    texts = await _read(context, caller, command, command_id, reader, told)
    return answer({"report_id": told, "goods": texts}, headers=NOT_KEPT)


def _reader(context: ApiContext, command_id: str) -> KeyPair:
    """The keys of whoever reads: the same for the same command, and nobody else's."""
    return keypair_from_secret(context.proof_of("reader of supplier goods", command_id))


async def _read(
    context: ApiContext,
    caller: Principal,
    command: OpenGoods | OpenReport,
    command_id: str,
    reader: KeyPair,
    told: str,
) -> list[str]:
    """The texts that the command has sealed to us as `told`, for the caller alone."""
    reply = await context.send(command, caller, command_id)
    try:
        return json.loads(Opener(reader.private).open(reply.answer["envelope"], told))
    except CannotOpen:
        raise Problem(500, "cannot-open", "the texts could not be opened; ask once more") from None
