"""Payments that nobody needs any more, and that a channel is to close."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request, Response

from services.gateway.access.auth import Permission, Principal
from services.gateway.http.depends import IdempotencyKey, TheGate, may
from services.gateway.http.pages import Cursor, Limit, Page, page
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.shapes import PathId
from services.gateway.payments.projection import NOT_CLOSED, payments
from services.gateway.payments.routes import find_payment, rendered, with_items
from shared.contracts.ledger import StopPayment

router = APIRouter(prefix="/v1/payments", tags=["money"], route_class=JsonRoute)
Reader = Annotated[Principal, Depends(may(Permission.PAYMENT_READ))]
Closer = Annotated[Principal, Depends(may(Permission.ORDER_REFUND))]


@router.get("/not-closed", summary="Payments that their channel did not close", response_model=Page)
async def not_closed(gate: TheGate, caller: Reader, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Nobody needs them any more, and they may still be paid; the oldest payment first."""
    statement = sa.select(payments).where(payments.c.closing == NOT_CLOSED)
    by = (payments.c.requested_at, payments.c.payment_id)
    return await page(gate, statement, by, limit, cursor, ascending=True, render=rendered)


@router.post("/{payment_id}/close", status_code=202, summary="Have a payment closed at its channel")
async def close(
    payment_id: PathId, gate: TheGate, caller: Closer, request: Request, key: IdempotencyKey = None
) -> dict[str, Any]:
    """For the first time, or once more where the channel did not. An order that waits for it ends unpaid in time."""
    command_id = gate.command_id(caller, request, key)
    await gate.send(StopPayment, caller, command_id, flow=payment_id, payment_id=payment_id)
    row = await find_payment(gate, payment_id)
    if row is None:
        raise await gate.absent(caller, "ledger", "payment")
    return await with_items(gate, row)
