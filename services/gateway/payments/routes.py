"""Payments, and what payment channels tell of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Request
from pydantic import Field

from services.gateway.access.auth import Permission, Principal
from services.gateway.callbacks import receiving
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import Caller, ClientIp, TheGate, demand
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.problems import Problem, not_found
from services.gateway.http.shapes import Line, Name, PathId
from services.gateway.orders.access import Secret, may_read_order
from services.gateway.payments.projection import payments
from services.gateway.unmatched.projection import unmatched
from shared.contracts import Money, Value
from shared.contracts.ledger import RecordCallback
from shared.readside.batched_query import BatchedQuery, Row

router = APIRouter(prefix="/v1/payments", tags=["money"], route_class=JsonRoute)
PAYMENT = BatchedQuery(payments.c.payment_id)
ITEMS = BatchedQuery(unmatched.c.payment_id)
REFUSED = {"replayed": 409, "wrong-reference": 409, "wrong-amount": 422, "wrong-channel": 422, "unknown-payment": 404}


class Callback(Value):
    """What a channel sends. `amount` is in minor units."""

    callback_id: Name
    payment_id: Name
    channel_ref: Line
    amount: Annotated[int, Field(ge=0, le=10**15, strict=True)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    status: Literal["paid", "failed"]


async def find_payment(gate: ApiContext, payment_id: str) -> Row | None:
    return await gate.found(PAYMENT, payment_id)


def rendered(row: Row) -> dict[str, Any]:
    currency = row["currency"]
    names = ("payment_id", "order_id", "channel", "status", "pay_url", "reason", "requested_at", "received_at")
    return {
        **{name: row[name] for name in names},
        "amount": {"amount": row["amount"], "currency": currency},
        "returned": {"amount": row["returned"], "currency": currency},
        "returns": [rendered_return(return_id, part) for return_id, part in (row["returns"] or {}).items()],
    }


def rendered_return(return_id: str, part: Mapping[str, Any]) -> dict[str, Any]:
    """`paid` is what the channel paid back where that is not the amount, else null."""
    money = {"amount": part["amount"], "currency": part["currency"]}
    told = {name: part[name] for name in ("status", "reason", "at")}
    return {"return_id": return_id, "amount": money, "paid": part.get("paid"), **told}


def rendered_item(row: Row) -> dict[str, Any]:
    """Money that fits no payment, for staff. `expected` is what the payment asked for, null for one we do not know."""
    names = ("item", "payment_id", "order_id", "channel", "channel_ref", "reason", "booked", "status", "how", "note")
    expected = {"amount": row["expected"], "currency": row["expected_currency"]}
    return {
        **{name: row[name] for name in names},
        "amount": {"amount": row["amount"], "currency": row["currency"]},
        "expected": expected if row["expected"] is not None else None,
        "opened_at": row["opened_at"],
        "settled_at": row["settled_at"],
    }


async def with_items(gate: ApiContext, row: Row) -> dict[str, Any]:
    """A payment for staff: with all that its channel said of money and that did not fit."""
    items = await gate.reading.find(ITEMS, row["payment_id"])
    return {**rendered(row), "unmatched": [rendered_item(item) for item in items]}


@router.get("/{payment_id}", summary="Read a payment")
async def payment(
    payment_id: PathId, gate: TheGate, caller: Caller, ip: ClientIp, secret: Secret = None
) -> dict[str, Any]:
    """For staff, the owner of the wallet it tops up, and whoever may read the order it pays."""
    if caller.kind == "staff":
        demand(caller, Permission.PAYMENT_READ)
        row = await find_payment(gate, payment_id)
    else:
        row = await _own(gate, caller, ip, payment_id, secret)
    if row is None:
        raise await gate.absent(caller, "ledger", "payment")
    return await with_items(gate, row) if caller.kind == "staff" else rendered(row)


async def _own(gate: ApiContext, caller: Principal, ip: str, payment_id: str, secret: str | None) -> Row | None:
    row = await find_payment(gate, payment_id)
    if row is not None and caller.kind == "customer" and row["account"] == f"wallet:{caller.subject}":
        return row
    if await may_read_order(gate, caller, ip, payment_id, secret):  # an order's payment has the order's id
        return row
    return None


@router.post("/callbacks/{channel}", summary="A payment channel tells of a payment")
async def called_back(
    channel: PathId,
    request: Request,
    gate: TheGate,
    ip: ClientIp,
    timestamp: Annotated[str, Header(alias=receiving.TIMESTAMP_HEADER)] = "",
    signature: Annotated[str, Header(alias=receiving.SIGNATURE_HEADER)] = "",
) -> dict[str, Any]:
    """Signed with the secret shared with the channel. Every callback is recorded, forged ones too; a signed one that
    can't be read (422) waits for a person."""
    if channel not in gate.backend.settings.channels:
        raise not_found("payment channel")
    who = receiving.Partner("channel", channel)
    told = await receiving.receive(gate, request, ip, who, timestamp, signature, Callback)
    callback = told.content
    command_id = gate.backend.ports.new_id()
    reply = await gate.send(
        RecordCallback,
        Principal("guest") if not told.authentic else who.principal,
        command_id,
        flow=callback.payment_id,
        payment_id=callback.payment_id,
        channel=channel,
        callback_id=callback.callback_id,
        channel_ref=callback.channel_ref,
        amount=Money(amount=callback.amount, currency=callback.currency),
        status=callback.status,
        authentic=told.authentic,
    )
    if not told.authentic:
        raise receiving.forged()
    reason = reply.answer.get("reason", "")
    if reason in REFUSED:
        raise Problem(REFUSED[reason], reason, "it was recorded, and does not fit the payment")
    return {"outcome": reply.answer.get("outcome", "recorded")}
