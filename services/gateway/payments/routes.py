"""Payments: callbacks of payment channels, and what staff have to finish."""

from __future__ import annotations

from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.gateway.access.auth import Permission, Principal
from services.gateway.callbacks import receiving
from services.gateway.http.answers import ASKED, DECIDED, Answer, answer, refusals
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import Caller, ClientIp, Context, IdempotencyKey, demand, may
from services.gateway.http.pages import Cursor, Limit, Page, page
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.problems import Problem, not_found
from services.gateway.http.shapes import Line, Name, PathId
from services.gateway.orders.access import Secret, may_read_order
from services.gateway.payments.answers import (
    FailedReturns,
    Payment,
    failed,
    find_payment,
    for_staff,
    rendered,
    with_items,
)
from services.gateway.payments.projection import NOT_CLOSED, payments
from services.gateway.unmatched.routes import HandBody
from shared.contracts import Money, Value
from shared.contracts.ledger import RecordCallback, RecordReturnByHand, RetryReturn, StopPayment
from shared.readside.batched_query import Row

router = APIRouter(prefix="/v1/payments", tags=["money"], route_class=JsonRoute)
Reader = Annotated[Principal, Depends(may(Permission.PAYMENT_READ))]
Bookkeeper = Annotated[Principal, Depends(may(Permission.LEDGER_POST))]
Refunder = Annotated[Principal, Depends(may(Permission.ORDER_REFUND))]
REFUSED = {"replayed": 409, "wrong-reference": 409, "wrong-amount": 422, "wrong-channel": 422, "unknown-payment": 404}


class Callback(Value):
    """The body of a channel's callback. `amount` is in minor units."""

    callback_id: Name
    payment_id: Name
    channel_ref: Line
    amount: Annotated[int, Field(ge=0, le=10**15, strict=True)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    status: Literal["paid", "failed"]


class CallbackOutcome(Answer):
    outcome: str


@router.get(
    "/failed-returns",
    summary="List payments with failed returns",
    response_model=Page[FailedReturns],
    responses=refusals(*ASKED),
)
async def failed_returns(context: Context, caller: Reader, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Payments with their failed returns that are not settled. The oldest payment comes first."""
    statement = sa.select(payments).where(payments.c.failed_returns > 0)
    by = (payments.c.requested_at, payments.c.payment_id)
    return await page(context, statement, by, limit, cursor, ascending=True, render=failed)


@router.get(
    "/not-closed",
    summary="List payments that their channel did not close",
    response_model=Page[Payment],
    responses=refusals(*ASKED),
)
async def not_closed(context: Context, caller: Reader, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """These payments are no longer needed, and may still be paid. The oldest comes first."""
    statement = sa.select(payments).where(payments.c.closing == NOT_CLOSED)
    by = (payments.c.requested_at, payments.c.payment_id)
    return await page(context, statement, by, limit, cursor, ascending=True, render=rendered)


@router.get("/{payment_id}", summary="Read a payment", response_model=Payment, responses=refusals(*ASKED, 404, 429))
async def payment(
    payment_id: PathId, context: Context, caller: Caller, ip: ClientIp, secret: Secret = None
) -> Response:
    """Allowed for staff, for the owner of the wallet that the payment tops up, and for everybody who may read the order
    that it pays."""
    if caller.kind == "staff":
        demand(caller, Permission.PAYMENT_READ)
        row = await find_payment(context, payment_id)
    else:
        row = await _own(context, caller, ip, payment_id, secret)
    if row is None:
        raise await context.absent(caller, "ledger", "payment")
    return answer(await with_items(context, row) if caller.kind == "staff" else rendered(row))


async def _own(context: ApiContext, caller: Principal, ip: str, payment_id: str, secret: str | None) -> Row | None:
    row = await find_payment(context, payment_id)
    if row is not None and caller.kind == "customer" and row["account"] == f"wallet:{caller.subject}":
        return row
    if await may_read_order(context, caller, ip, payment_id, secret):  # an order's payment has the order's id
        return row
    return None


@router.post(
    "/{payment_id}/close",
    status_code=202,
    summary="Close a payment at its channel",
    response_model=Payment,
    responses=refusals(*DECIDED),
)
async def close(
    payment_id: PathId, context: Context, caller: Refunder, request: Request, key: IdempotencyKey = None
) -> Response:
    """Asks the channel to close the payment, for the first time or again. An order that waits for this payment ends
    unpaid when its time is over."""
    command_id = context.command_id(caller, request, key)
    await context.send(StopPayment(payment_id=payment_id), caller, command_id, flow=payment_id)
    return answer(await for_staff(context, caller, payment_id), 202)


@router.post(
    "/{payment_id}/returns/{return_id:path}/retry",
    status_code=202,
    summary="Try a failed return again",
    response_model=Payment,
    responses=refusals(*DECIDED),
)
async def retry(
    payment_id: PathId,
    return_id: PathId,
    context: Context,
    caller: Refunder,
    request: Request,
    key: IdempotencyKey = None,
) -> Response:
    """The channel is asked first whether it has paid, so that nothing is paid twice."""
    command_id = context.command_id(caller, request, key)
    await context.send(RetryReturn(payment_id=payment_id, return_id=return_id), caller, command_id, flow=payment_id)
    return answer(await for_staff(context, caller, payment_id), 202)


@router.post(
    "/{payment_id}/returns/{return_id:path}/by-hand",
    summary="Record that a failed return was paid by hand",
    response_model=Payment,
    responses=refusals(*DECIDED),
)
async def by_hand(
    payment_id: PathId,
    return_id: PathId,
    body: HandBody,
    context: Context,
    caller: Bookkeeper,
    request: Request,
    key: IdempotencyKey = None,
) -> Response:
    command_id = context.command_id(caller, request, key)
    command = RecordReturnByHand(payment_id=payment_id, return_id=return_id, note=body.note)
    await context.send(command, caller, command_id, flow=payment_id)
    return answer(await for_staff(context, caller, payment_id))


@router.post(
    "/callbacks/{channel}",
    summary="Receive a payment channel's callback",
    response_model=CallbackOutcome,
    responses=refusals(401, 404, 409, 413, 429, 504),
)
async def receive_callback(
    channel: PathId,
    request: Request,
    context: Context,
    ip: ClientIp,
    timestamp: receiving.Timestamp = "",
    signature: receiving.Signature = "",
) -> Response:
    """The channel signs with its shared secret. Every callback is recorded, including those with a wrong signature. A
    signed callback that can't be read (422) waits for a person."""
    if channel not in context.backend.settings.channels:
        raise not_found("payment channel")
    partner = receiving.Partner("channel", channel)
    received = await receiving.receive(context, request, ip, partner, timestamp, signature, Callback)
    callback = received.content
    command = RecordCallback(
        payment_id=callback.payment_id,
        channel=channel,
        callback_id=callback.callback_id,
        channel_ref=callback.channel_ref,
        amount=Money(amount=callback.amount, currency=callback.currency),
        status=callback.status,
        authentic=received.authentic,
    )
    caller = partner.principal if received.authentic else Principal("guest")
    reply = await context.send(command, caller, context.backend.ids.new_id(), flow=callback.payment_id)
    if not received.authentic:
        raise receiving.bad_signature()
    reason = reply.answer.get("reason", "")
    if reason in REFUSED:
        raise Problem(REFUSED[reason], reason, "the callback was recorded, and does not match the payment")
    return answer({"outcome": reply.answer.get("outcome", "recorded")})
