"""Orders after they were placed: cancelling, refunding, replacing keys."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field, model_validator

from services.gateway.access.auth import Permission, Principal
from services.gateway.http.answers import DECIDED, Answer, answer, refusals
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import Context, IdempotencyKey, may
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.shapes import Body, Count, Note, PathId, Reason
from services.gateway.orders import access
from services.gateway.orders.answers import Order, OrderToCome
from shared.contracts import Money
from shared.contracts.order import CancelOrder, RefundOrder, ReplaceKey

router = APIRouter(prefix="/v1/orders", tags=["orders"], route_class=JsonRoute)


class CancelBody(Body):
    note: Note = ""


class RefundBody(Body):
    """What to refund. `amount` is in minor units of the order's currency; without it, all that is left is refunded.

    `line` and `number`, both or neither, name a delivered key. Then its whole price is refunded, and the key is never
    replaced.
    """

    amount: Annotated[int, Field(ge=1, le=10**15, strict=True)] | None = None
    line: Count | None = None
    number: Count | None = None
    reason: Reason

    @model_validator(mode="after")
    def _whole_key(self) -> RefundBody:
        if (self.line is None) != (self.number is None):
            raise ValueError("a delivered key is named by both its line and its number")
        return self


class ReplacementBody(Body):
    """The delivered key that does not work."""

    line: Count
    number: Count
    reason: Reason


class RefundOf(Answer):
    """The id of the refund, and the order as it is now."""

    refund_id: str
    order: Order | OrderToCome


async def _current(context: ApiContext, order_id: str) -> dict[str, Any]:
    order = await access.find(context, order_id)
    return await access.with_payment(context, order) if order else {"order_id": order_id}


@router.post(
    "/{order_id}/cancel",
    summary="Cancel an order that is not yet confirmed",
    response_model=Order | OrderToCome,
    responses=refusals(*DECIDED, 429),
)
async def cancel(
    body: CancelBody, context: Context, visible: access.Cancellable, request: Request, key: IdempotencyKey = None
) -> Response:
    """For the order's buyer and for staff."""
    order_id = visible.order["order_id"]
    by = "buyer" if visible.as_buyer else "staff"
    command_id = context.command_id(visible.caller, request, key)
    await context.send(CancelOrder(order_id=order_id, by=by, note=body.note), visible.caller, command_id, flow=order_id)
    return answer(await _current(context, order_id))


@router.post(
    "/{order_id}/refunds",
    status_code=202,
    summary="Refund an order",
    response_model=RefundOf,
    responses=refusals(*DECIDED),
)
async def refund(
    order_id: PathId,
    body: RefundBody,
    context: Context,
    caller: Annotated[Principal, Depends(may(Permission.ORDER_REFUND))],
    request: Request,
    key: IdempotencyKey = None,
) -> Response:
    """The money goes back to where it came from, and is never more than was paid. A failed refund is tried again when
    nothing else is left, or when the request has its amount."""
    order = await access.existing(context, caller, order_id)
    command_id = context.command_id(caller, request, key)
    amount = Money(amount=body.amount, currency=order["currency"]) if body.amount is not None else None
    command = RefundOrder(
        order_id=order_id,
        refund_id=command_id,
        amount=amount,
        line=body.line,
        number=body.number,
        reason=body.reason,
    )
    reply = await context.send(command, caller, command_id, flow=order_id)
    refunded = {"refund_id": reply.answer.get("refund_id", command_id), "order": await _current(context, order_id)}
    return answer(refunded, 202)


@router.post(
    "/{order_id}/replacements",
    status_code=202,
    summary="Replace a key that does not work",
    response_model=Order | OrderToCome,
    responses=refusals(*DECIDED),
)
async def replace(
    order_id: PathId,
    body: ReplacementBody,
    context: Context,
    caller: Annotated[Principal, Depends(may(Permission.ORDER_REPLACE))],
    request: Request,
    key: IdempotencyKey = None,
) -> Response:
    """The buyer gets another key of the same product, or its price back when none is left."""
    await access.existing(context, caller, order_id)
    command_id = context.command_id(caller, request, key)
    command = ReplaceKey(order_id=order_id, line=body.line, number=body.number, reason=body.reason)
    await context.send(command, caller, command_id, flow=order_id)
    return answer(await _current(context, order_id), 202)
