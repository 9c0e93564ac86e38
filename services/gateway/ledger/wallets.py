"""Customers' wallets and deposits."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.gateway.access.auth import Permission, Principal
from services.gateway.access.customers import require_customer
from services.gateway.http.answers import ASKED, DECIDED, Answer, answer, refusals
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import Caller, Context, IdempotencyKey, counted, demand
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.problems import not_found
from services.gateway.http.shapes import Amount, Body, Name, PathId
from services.gateway.ledger.owners import wallet_of
from services.gateway.ledger.projection import accounts
from services.gateway.payments.answers import Payment, PaymentToCome, find_payment, rendered
from shared.contracts.ledger import RequestPayment

router = APIRouter(tags=["money"], route_class=JsonRoute)


class Balance(Answer):
    """A balance in minor units. `held` is set aside for orders under way, `available` is what is left to spend."""

    currency: str
    balance: int
    held: int
    available: int


class Wallet(Answer):
    customer: str
    balances: list[Balance]


class DepositBody(Body):
    amount: Amount
    channel: Annotated[Name, Field(description="The payment channel that collects the money.")]


@router.get("/v1/wallets/{customer}", summary="Read a wallet", response_model=Wallet, responses=refusals(*ASKED, 404))
async def wallet(customer: PathId, context: Context, caller: Caller) -> Response:
    """`held` is set aside for orders under way; `available` is what is left to spend."""
    if caller.kind == "customer":
        if caller.subject != customer:
            raise not_found("wallet")
    else:
        demand(caller, Permission.WALLET_READ)
    await require_customer(context, caller, customer)
    rows = await context.rows(sa.select(accounts).where(accounts.c.account == wallet_of(customer)))
    balances = [
        {
            "currency": row["currency"],
            "balance": -row["posted"],  # the shop owes the customer this: it is on the credit side
            "held": row["held"],
            "available": -row["posted"] - row["held"],
        }
        for row in rows
    ]
    return answer({"customer": customer, "balances": balances})


def _counted(context: ApiContext, caller: Principal) -> AbstractContextManager[None]:
    """Counts a deposit that a customer opens. Raises Problem (429) beyond the limit."""
    if caller.kind != "customer":
        return nullcontext()
    detail = "too many deposits were opened; pay one of them"
    return counted((context.deposits, caller.subject), code="too-many-deposits", detail=detail)


@router.post(
    "/v1/wallets/{customer}/deposits",
    status_code=201,
    summary="Top a wallet up",
    response_model=Payment | PaymentToCome,
    responses=refusals(*DECIDED, 429),
)
async def deposit(
    customer: PathId,
    body: DepositBody,
    context: Context,
    caller: Caller,
    request: Request,
    key: IdempotencyKey = None,
) -> Response:
    """Opens a payment. Its `pay_url` is shown as soon as the channel has answered. The number of deposits that a
    customer opens in an hour is limited."""
    if caller.kind == "customer":
        if caller.subject != customer:
            raise not_found("wallet")
    else:
        demand(caller, Permission.WALLET_DEPOSIT)
    command_id = context.command_id(caller, request, key)
    with _counted(context, caller):
        await require_customer(context, caller, customer)
        await context.send(
            RequestPayment(
                payment_id=command_id,
                account=wallet_of(customer),
                amount=body.amount.money(),
                channel=body.channel,
            ),
            caller,
            command_id,
        )
    row = await find_payment(context, command_id)
    return answer(rendered(row) if row else {"payment_id": command_id, "status": "requested"}, 201)
