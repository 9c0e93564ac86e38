"""Payments as they are answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.gateway.access.auth import Principal
from services.gateway.http.answers import Answer
from services.gateway.http.context import ApiContext
from services.gateway.payments.projection import payments
from services.gateway.unmatched.answers import UnmatchedItem, rendered_item
from services.gateway.unmatched.projection import unmatched
from shared.contracts import Money
from shared.readside.batched_query import BatchedQuery, Row

PAYMENT = BatchedQuery(payments.c.payment_id)
ITEMS = BatchedQuery(unmatched.c.payment_id)


class Return(Answer):
    """A return. `paid` is what the channel paid back, if that differs from the amount; else null."""

    return_id: str
    amount: Money
    paid: Money | None
    status: str
    reason: str | None
    at: str


class Payment(Answer):
    """A payment. `unmatched`, for staff, has every statement of its channel about money that did not match it."""

    payment_id: str
    order_id: str | None
    channel: str
    status: str
    pay_url: str | None
    reason: str | None
    requested_at: str
    received_at: str | None
    amount: Money
    returned: Money
    returns: list[Return]
    unmatched: list[UnmatchedItem] | None = None


class PaymentToCome(Answer):
    """A payment that was requested and is not shown yet."""

    payment_id: str
    status: str


class FailedReturns(Answer):
    """A payment, with its failed returns that are not settled."""

    payment_id: str
    order_id: str | None
    channel: str
    returns: list[Return]


async def find_payment(context: ApiContext, payment_id: str) -> Row | None:
    return await context.found(PAYMENT, payment_id)


async def for_staff(context: ApiContext, caller: Principal, payment_id: str) -> dict[str, Any]:
    """The payment as staff see it. Raises Problem: 404, or 503 while it may yet be shown."""
    row = await find_payment(context, payment_id)
    if row is None:
        raise await context.absent(caller, "ledger", "payment")
    return await with_items(context, row)


def rendered(row: Row) -> dict[str, Any]:
    currency = row["currency"]
    names = ("payment_id", "order_id", "channel", "status", "pay_url", "reason", "requested_at", "received_at")
    return {
        **{name: row[name] for name in names},
        "amount": {"amount": row["amount"], "currency": currency},
        "returned": {"amount": row["returned"], "currency": currency},
        "returns": [_return(return_id, part) for return_id, part in (row["returns"] or {}).items()],
    }


def _return(return_id: str, part: Mapping[str, Any]) -> dict[str, Any]:
    money = {"amount": part["amount"], "currency": part["currency"]}
    fields = {name: part[name] for name in ("status", "reason", "at")}
    return {"return_id": return_id, "amount": money, "paid": part.get("paid"), **fields}


async def with_items(context: ApiContext, row: Row) -> dict[str, Any]:
    items = await context.reading.find(ITEMS, row["payment_id"])
    return {**rendered(row), "unmatched": [rendered_item(item) for item in items]}


def failed(row: Row) -> dict[str, Any]:
    returns = [_return(return_id, part) for return_id, part in row["returns"].items()]
    fields = {name: row[name] for name in ("payment_id", "order_id", "channel")}
    return {**fields, "returns": [part for part in returns if part["status"] == "failed"]}
