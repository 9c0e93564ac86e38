"""Statements of suppliers that differ from what was known of a purchase, and what staff decide about them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field, model_validator

from services.gateway.access.auth import Permission, Principal
from services.gateway.http.answers import ASKED, DECIDED, Answer, answer, refusals
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import Context, IdempotencyKey, may
from services.gateway.http.pages import Cursor, Limit, Page, page
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.problems import Problem
from services.gateway.http.shapes import Amount, Body, CodeFilter, PathId, Reason
from services.gateway.suppliers.projection import reports, statements
from shared.contracts.fulfillment import (
    OpenGoods,
    OpenReport,
    SettleStatement,
    WinClaim,
    report_id,
    statement_id,
)
from shared.security.sealing import CannotOpen, Opener, keypair_from_secret

Reader = Annotated[Principal, Depends(may(Permission.SUPPLIER_READ))]
Settler = Annotated[Principal, Depends(may(Permission.SUPPLIER_SETTLE))]
Status = Annotated[
    Literal["open", "cost", "claim", "won", "agrees"] | None,
    Query(description="`open` statements wait for a person."),
]
ReportStatus = Annotated[
    Literal["open", "opened", "told"] | None,
    Query(description="`open` reports have texts that nobody has read; `told` reports have none."),
]
Number = Annotated[int, Field(ge=1, le=10**6)]
NOT_KEPT = {"Cache-Control": "no-store"}
router = APIRouter(prefix="/v1/suppliers", tags=["deliveries"], route_class=JsonRoute)


class SupplierStatement(Answer):
    """A supplier's statement. `cost` is what the supplier named, `bill` what was booked, both in minor units. `goods`
    counts the texts that came with it."""

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
    """A supplier's report about a purchase that was never ordered from it. Its fields are as those of a statement."""

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


class SettlementBody(Body):
    """The shop bears the bill as a `cost`, or demands it back from the supplier with a `claim`. A claim ends as `won`
    when the supplier credits it, or as a `cost` when it is lost.

    `cost` is the true amount of a doubtful bill. It is booked only when the shop bears the bill.
    """

    decision: Literal["cost", "claim", "won"]
    cost: Amount | None = None
    note: Reason

    @model_validator(mode="after")
    def _no_cost_when_won(self) -> SettlementBody:
        if self.cost is not None and self.decision == "won":
            raise ValueError("a claim that was won has no cost")
        return self


def _filtered(rows: sa.Select[Any], columns: Any, status: str | None, supplier: str | None) -> sa.Select[Any]:
    """The rows of a status and of a supplier, for each that is given."""
    for column, value in ((columns.status, status), (columns.supplier, supplier)):
        if value is not None:
            rows = rows.where(column == value)
    return rows


@router.get(
    "/statements",
    summary="List statements of suppliers that differ from what was known of a purchase",
    response_model=Page[SupplierStatement],
    responses=refusals(*ASKED),
)
async def list_statements(
    context: Context,
    caller: Reader,
    status: Status = None,
    supplier: CodeFilter = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The oldest comes first."""
    rows = _filtered(sa.select(statements), statements.c, status, supplier)
    by = (statements.c.told_at, statements.c.statement_id)
    return await page(context, rows, by, limit, cursor, ascending=True)


@router.post(
    "/statements/{delivery_id:path}/s{number}/settlement",
    summary="Decide who bears what a supplier billed",
    response_model=Settled,
    responses=refusals(*DECIDED),
)
async def settle(
    delivery_id: PathId,
    number: Number,
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
    """Why the texts are read."""

    note: Reason


@router.post(
    "/statements/{delivery_id:path}/s{number}/goods",
    summary="Read the texts that came with a statement",
    response_model=GoodsOfStatement,
    responses=refusals(*DECIDED),
)
async def read_goods_of_statement(
    delivery_id: PathId,
    number: Number,
    body: OpeningBody,
    context: Context,
    caller: Settler,
    request: Request,
    key: IdempotencyKey = None,
) -> Response:
    """The log records who read them. Use them for another buyer, or have the supplier take them back."""
    name = statement_id(delivery_id, number)

    def command(reader_key: str) -> OpenGoods:
        return OpenGoods(delivery_id=delivery_id, statement=number, note=body.note, reader_key=reader_key)

    goods = await _opened(context, caller, context.command_id(caller, request, key), command, name)
    return answer({"statement_id": name, "goods": goods}, headers=NOT_KEPT)


@router.get(
    "/reports",
    summary="List reports of suppliers about purchases that were never ordered from them",
    response_model=Page[SupplierReport],
    responses=refusals(*ASKED),
)
async def list_reports(
    context: Context,
    caller: Reader,
    status: ReportStatus = None,
    supplier: CodeFilter = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The oldest comes first."""
    rows = sa.select(*(column for column in reports.c if column is not reports.c.reports))
    by = (reports.c.told_at, reports.c.report_id)
    return await page(context, _filtered(rows, reports.c, status, supplier), by, limit, cursor, ascending=True)


@router.post(
    "/reports/{delivery_id:path}/r{number}/goods",
    summary="Read the texts that came with a report",
    response_model=GoodsOfReport,
    responses=refusals(*DECIDED),
)
async def read_goods_of_report(
    delivery_id: PathId,
    number: Number,
    body: OpeningBody,
    context: Context,
    caller: Settler,
    request: Request,
    key: IdempotencyKey = None,
) -> Response:
    """The log records who read them. The platform remembers these texts, and loads none of them into stock. Have the
    supplier take them back, or give them to a buyer whose delivery waits for a person."""
    name = report_id(delivery_id, number)

    def command(reader_key: str) -> OpenReport:
        return OpenReport(delivery_id=delivery_id, report=number, note=body.note, reader_key=reader_key)

    goods = await _opened(context, caller, context.command_id(caller, request, key), command, name)
    return answer({"report_id": name, "goods": goods}, headers=NOT_KEPT)


async def _opened(
    context: ApiContext,
    caller: Principal,
    command_id: str,
    command: Callable[[str], OpenGoods | OpenReport],
    name: str,
) -> list[str]:
    """The texts of the statement or report `name`. Fulfillment seals them to a key pair that only this command has.
    `command` is made from its public key."""
    reader = keypair_from_secret(context.proof_of("reader of supplier goods", command_id))
    reply = await context.send(command(reader.public), caller, command_id)
    try:
        return json.loads(Opener(reader.private).open(reply.answer["envelope"], name))
    except CannotOpen:
        raise Problem(500, "cannot-open", "the texts could not be opened; send the request once more") from None
