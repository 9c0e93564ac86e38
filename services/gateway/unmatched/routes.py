"""Money that people have to finish: what came and fits no payment, and what did not go back."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from services.gateway.access.auth import Permission, Principal
from services.gateway.access.customers import require_customer
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import IdempotencyKey, TheGate, may
from services.gateway.http.pages import Cursor, Limit, Page, page
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.shapes import Body, Name, Note, PathId, Reason
from services.gateway.payments.projection import payments
from services.gateway.payments.routes import find_payment, rendered_item, rendered_return, with_items
from services.gateway.unmatched.projection import unmatched
from shared.contracts import Command
from shared.contracts.ledger import GiveBackPayment, MatchPayment, RecordReturnByHand, RetryReturn, SettlePayment
from shared.readside.batched_query import BatchedQuery, Row

router = APIRouter(prefix="/v1/payments", tags=["money"], route_class=JsonRoute)
Reader = Annotated[Principal, Depends(may(Permission.PAYMENT_READ))]
Bookkeeper = Annotated[Principal, Depends(may(Permission.LEDGER_POST))]
Refunder = Annotated[Principal, Depends(may(Permission.ORDER_REFUND))]
ITEM = BatchedQuery(unmatched.c.item)
Status = Annotated[
    Literal["open", "returning", "settled"],
    Query(description="`open` waits for a person, `returning` for the channel; `settled` has found its place."),
]


class MatchBody(Body):
    wallet: Annotated[Name, Field(max_length=60, description="The customer whose money it is.")] | None = None
    note: Note = ""


class NoteBody(Body):
    note: Note = ""


class HandBody(Body):
    """How it was seen to: the books keep this beside the entry."""

    note: Reason


@router.get("/unmatched", summary="Money that came and fits no payment", response_model=Page)
async def listed(
    gate: TheGate, caller: Reader, status: Status = "open", limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """What waits longest first."""
    statement = sa.select(unmatched).where(unmatched.c.status == status)
    by = (unmatched.c.opened_at, unmatched.c.item)
    return await page(gate, statement, by, limit, cursor, ascending=True, render=rendered_item)


@router.get("/failed-returns", summary="Payments whose money did not go back", response_model=Page)
async def failed_returns(gate: TheGate, caller: Reader, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Payments with the returns that failed and that nobody has seen to; the oldest payment first."""
    statement = sa.select(payments).where(payments.c.failed_returns > 0)
    by = (payments.c.requested_at, payments.c.payment_id)
    return await page(gate, statement, by, limit, cursor, ascending=True, render=_failed)


def _failed(row: Row) -> dict[str, Any]:
    shown = [rendered_return(return_id, part) for return_id, part in row["returns"].items()]
    named = {name: row[name] for name in ("payment_id", "order_id", "channel")}
    return {**named, "returns": [part for part in shown if part["status"] == "failed"]}


async def _item(gate: ApiContext, caller: Principal, item: str) -> Row:
    """Raises Problem: 404, or 503 when it may be there."""
    row = await gate.found(ITEM, item)
    if row is None:
        raise await gate.absent(caller, "ledger", "unmatched payment")
    return row


async def _finish(
    gate: ApiContext,
    caller: Principal,
    request: Request,
    key: str | None,
    kind: type[Command],
    item: str,
    **fields: Any,
) -> dict[str, Any]:
    row = await _item(gate, caller, item)
    command_id = gate.command_id(caller, request, key)
    payment_id = row["payment_id"]
    await gate.send(kind, caller, command_id, flow=payment_id, payment_id=payment_id, item=item, **fields)
    return rendered_item(await _item(gate, caller, item))


@router.post("/unmatched/{item}/match", summary="Take it for the payment of its order or deposit")
async def match(
    item: PathId, body: MatchBody, gate: TheGate, caller: Bookkeeper, request: Request, key: IdempotencyKey = None
) -> dict[str, Any]:
    """An order is paid whole: what is missing is ours to give, what is too much goes back. A deposit is what came. With
    `wallet` it goes to this customer instead."""
    if body.wallet is not None:
        await require_customer(gate, caller, body.wallet)
    return await _finish(gate, caller, request, key, MatchPayment, item, **body.model_dump())


@router.post("/unmatched/{item}/return", status_code=202, summary="Give exactly what came back")
async def give_back(
    item: PathId, body: NoteBody, gate: TheGate, caller: Refunder, request: Request, key: IdempotencyKey = None
) -> dict[str, Any]:
    """The channel is asked; should it refuse, the item is open again."""
    return await _finish(gate, caller, request, key, GiveBackPayment, item, **body.model_dump())


@router.post("/unmatched/{item}/settlement", summary="Record that it was seen to in another way")
async def settle(
    item: PathId, body: HandBody, gate: TheGate, caller: Bookkeeper, request: Request, key: IdempotencyKey = None
) -> dict[str, Any]:
    """What was booked leaves the suspense account for `by-hand:<channel>`."""
    return await _finish(gate, caller, request, key, SettlePayment, item, **body.model_dump())


async def _payment(gate: ApiContext, caller: Principal, payment_id: str) -> dict[str, Any]:
    row = await find_payment(gate, payment_id)
    if row is None:
        raise await gate.absent(caller, "ledger", "payment")
    return await with_items(gate, row)


@router.post("/{payment_id}/returns/{return_id:path}/retry", status_code=202, summary="Try a failed return again")
async def retry(
    payment_id: PathId, return_id: PathId, gate: TheGate, caller: Refunder, request: Request, key: IdempotencyKey = None
) -> dict[str, Any]:
    """The channel is looked up first, so that nothing is paid twice."""
    command_id = gate.command_id(caller, request, key)
    await gate.send(RetryReturn, caller, command_id, flow=payment_id, payment_id=payment_id, return_id=return_id)
    return await _payment(gate, caller, payment_id)


@router.post("/{payment_id}/returns/{return_id:path}/by-hand", summary="Record that a failed return was paid by hand")
async def by_hand(
    payment_id: PathId,
    return_id: PathId,
    body: HandBody,
    gate: TheGate,
    caller: Bookkeeper,
    request: Request,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    command_id = gate.command_id(caller, request, key)
    fields = {"payment_id": payment_id, "return_id": return_id, **body.model_dump()}
    await gate.send(RecordReturnByHand, caller, command_id, flow=payment_id, **fields)
    return await _payment(gate, caller, payment_id)
