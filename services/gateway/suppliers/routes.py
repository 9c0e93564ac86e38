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
from services.gateway.http.depends import ClientIp, IdempotencyKey, TheGate, may
from services.gateway.http.pages import Cursor, Limit, Page, page
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.problems import Problem, not_found
from services.gateway.http.shapes import Amount, Body, CodeFilter, PathId, Reason
from services.gateway.suppliers.projection import reports, statements
from shared.contracts.fulfillment import (
    OpenGoods,
    OpenReport,
    PurchaseReport,
    RecordPurchase,
    SettleStatement,
    WinClaim,
    report_id,
    statement_id,
)
from shared.contracts.inventory import SealedKey
from shared.security.sealing import CannotOpen, Opener, keypair_from_secret
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
router = APIRouter(prefix="/v1/suppliers", tags=["deliveries"], route_class=JsonRoute)


@router.post("/callbacks/{supplier}", summary="A supplier tells of a purchase")
async def called_back(
    supplier: PathId,
    request: Request,
    gate: TheGate,
    ip: ClientIp,
    timestamp: Annotated[str, Header(alias=receiving.TIMESTAMP_HEADER)] = "",
    signature: Annotated[str, Header(alias=receiving.SIGNATURE_HEADER)] = "",
) -> dict[str, Any]:
    """Signed with the secret shared with the supplier, and bound to a purchase that was asked of it. What is told of
    any other (409 `wrong-supplier`), and what can't be read (422), is recorded and shown to staff, but not without end:
    409 `too-many-reports` was not recorded."""
    if supplier not in gate.backend.settings.suppliers:
        raise not_found("supplier")
    who = receiving.Partner("supplier", supplier)
    told = await receiving.receive(gate, request, ip, who, timestamp, signature, PurchaseReport)
    if not told.authentic:
        raise receiving.forged()
    try:
        command = told.content.told_by(supplier)
    except ValueError:
        problem = Problem(422, "wrong-supplier", "this purchase was not asked of this supplier")
        await receiving.keep_unread(gate, who, await request.body(), [str(problem.detail)])
        raise problem from None
    if told.content.goods:
        secrets, random_bytes = gate.backend.secrets, gate.backend.ports.random_bytes
        public = keypair_from_secret(secrets.get("fulfillment-sealing")).public
        sealing = TextSealing(public, secrets.get("blind-index"), random_bytes)
        sealed = await run_sync(sealing.sealed, told.content.goods, told.content.request_id)
        command = told.content.told_by(supplier, tuple(SealedKey(index=index, box=box) for index, box in sealed))
    fields = {name: getattr(command, name) for name in RecordPurchase.model_fields}
    command_id = gate.backend.ports.new_id()
    reply = await gate.send(RecordPurchase, who.principal, command_id, **fields)
    if reply.answer.get("reason") == "wrong-supplier":
        detail = "it was recorded; this supplier was not asked for this delivery: staff are told"
        raise Problem(409, "wrong-supplier", detail)
    if reply.answer.get("reason") == "too-many-reports":
        detail = "it was not recorded; this supplier was not asked for this delivery, and told too much of it before"
        raise Problem(409, "too-many-reports", detail)
    return {"outcome": "recorded"}


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
    "/statements", response_model=Page, summary="What suppliers said that did not fit what had become of a purchase"
)
async def told(
    gate: TheGate,
    caller: Reader,
    status: Status = None,
    supplier: CodeFilter = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Those told first come first."""
    asked = _asked(sa.select(statements), statements.c, status, supplier)
    by = (statements.c.told_at, statements.c.statement_id)
    return await page(gate, asked, by, limit, cursor, ascending=True)


@router.post(
    "/statements/{delivery_id:path}/s{number}/settlement", summary="Say who bears what a supplier said and billed"
)
async def settle(
    delivery_id: PathId,
    number: Annotated[int, Field(ge=1, le=10**6)],
    body: SettlementBody,
    gate: TheGate,
    caller: Settler,
    request: Request,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    command_id = gate.command_id(caller, request, key)
    fields: dict[str, Any] = {"delivery_id": delivery_id, "statement": number, "note": body.note}
    if body.decision == "won":
        await gate.send(WinClaim, caller, command_id, **fields)
    else:
        cost = body.cost.money() if body.cost else None
        await gate.send(SettleStatement, caller, command_id, **fields, decision=body.decision, cost=cost)
    return {"statement_id": statement_id(delivery_id, number), "status": body.decision}


class OpeningBody(Body):
    """Why they are read."""

    note: Reason


@router.post("/statements/{delivery_id:path}/s{number}/goods", summary="Read the texts that came with a statement")
async def goods(
    delivery_id: PathId,
    number: Annotated[int, Field(ge=1, le=10**6)],
    body: OpeningBody,
    gate: TheGate,
    caller: Settler,
    request: Request,
    response: Response,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    """Who read them is in the log. Use them for another buyer, or have the supplier take them back."""
    command_id = gate.command_id(caller, request, key)
    fields: dict[str, Any] = {"delivery_id": delivery_id, "statement": number, "note": body.note}
    told = statement_id(delivery_id, number)
    texts = await _read(gate, caller, response, OpenGoods, command_id, told, fields)
    return {"statement_id": told, "goods": texts}


@router.get("/reports", response_model=Page, summary="What suppliers told of purchases that were never asked of them")
async def reported(
    gate: TheGate,
    caller: Reader,
    status: ReportStatus = None,
    supplier: CodeFilter = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Those told first come first."""
    shown = sa.select(*(column for column in reports.c if column is not reports.c.reports))
    by = (reports.c.told_at, reports.c.report_id)
    return await page(gate, _asked(shown, reports.c, status, supplier), by, limit, cursor, ascending=True)


@router.post("/reports/{delivery_id:path}/r{number}/goods", summary="Read the texts that came with such a report")
async def reported_goods(
    delivery_id: PathId,
    number: Annotated[int, Field(ge=1, le=10**6)],
    body: OpeningBody,
    gate: TheGate,
    caller: Settler,
    request: Request,
    response: Response,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    """Who read them is in the log. They are known as sent: no stock takes them. Have the supplier take them back, or
    hand them to a buyer who waits for a person."""
    command_id = gate.command_id(caller, request, key)
    fields: dict[str, Any] = {"delivery_id": delivery_id, "report": number, "note": body.note}
    told = report_id(delivery_id, number)
    texts = await _read(gate, caller, response, OpenReport, command_id, told, fields)
    return {"report_id": told, "goods": texts}


async def _read(
    gate: TheGate,
    caller: Principal,
    response: Response,
    kind: type[OpenGoods | OpenReport],
    command_id: str,
    told: str,
    fields: dict[str, Any],
) -> list[str]:
    """The texts that the command has sealed to us as `told`, for the caller alone."""
    reader = keypair_from_secret(gate.proof_of("reader of supplier goods", command_id))
    reply = await gate.send(kind, caller, command_id, **fields, reader_key=reader.public)
    try:
        texts = json.loads(Opener(reader.private).open(reply.answer["envelope"], told))
    except CannotOpen:
        raise Problem(500, "cannot-open", "the texts could not be opened; ask once more") from None
    response.headers["Cache-Control"] = "no-store"
    return texts
