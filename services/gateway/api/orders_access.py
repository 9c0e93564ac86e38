"""Who may see an order, and what of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Depends, Header, Request

from services.gateway.api.depends import Caller, demand, gate_of, ip_of, slow_down
from services.gateway.api.gate import Gate
from services.gateway.api.shapes import PathId
from services.gateway.auth import Permission, Principal
from services.gateway.buyers import is_secret_of, open_envelope
from services.gateway.problems import Problem, not_found, not_shown_yet
from services.gateway.tables.deliveries import deliveries as deliveries_table
from services.gateway.tables.history import order_history
from services.gateway.tables.money import payments
from services.gateway.tables.orders import orders
from shared.contracts.order import WALLET
from shared.hosting.reading import Lookup, Row
from shared.security.sealing import CannotOpen

Secret = Annotated[
    str | None, Header(alias="Order-Secret", max_length=200, description="`secret` of the answer to placing the order.")
]
ORDER = Lookup(orders.c.order_id)
DELIVERIES = Lookup(deliveries_table.c.order_id)
CHANNEL_PAYMENT = Lookup(payments.c.payment_id, payments.c.status, payments.c.pay_url)
OF_A_LINE = ("line", "sku", "name", "kind", "quantity", "unit_price", "amount", "target", "status", "replaces")
BUYER_FACTS = (
    "amount",
    "line",
    "late",
    "paid",
    "quantity",
    "refund_id",
    "refunded",
    "full",
    "delivered",
    "undelivered",
)
STAFF_EVENTS = ("ScreeningRecorded", "DeliveryOverdue")


@dataclass(frozen=True)
class Seen:
    """An order that the caller may see, as its buyer or as staff."""

    order: Row
    caller: Principal
    as_buyer: bool


async def find(gate: Gate, order_id: str) -> Row | None:
    return await gate.found(ORDER, order_id)


async def existing(gate: Gate, caller: Principal, order_id: str) -> Row:
    """The order, for staff. Raises Problem: 404, or 503 when it may be there."""
    order = await find(gate, order_id)
    if order is None:
        raise await gate.absent(caller, "order", "order")
    return order


async def _proven(gate: Gate, order_id: str) -> Row:
    """An order whose secret the caller knows: it was accepted, so it is there. Raises Problem (503)."""
    order = await find(gate, order_id)
    if order is None:
        raise not_shown_yet("order")
    return order


async def _seen(gate: Gate, caller: Principal, ip: str, order_id: str, secret: str | None, need: Permission) -> Seen:
    """Whoever has no right to an order learns nothing, not even whether it exists."""
    if secret is not None:
        slow_down(gate.wrong_secrets, ip)
        if not is_secret_of(gate.backend.secrets, order_id, secret):
            gate.wrong_secrets.failed(ip)
            raise not_found("order")
        return Seen(await _proven(gate, order_id), caller, as_buyer=True)
    if caller.kind == "staff":
        demand(caller, need)
        return Seen(await existing(gate, caller, order_id), caller, as_buyer=False)
    order = await find(gate, order_id)
    if order is None or caller.kind == "guest" or order["customer"] != caller.subject:
        raise await gate.absent(caller, "order", "order")
    return Seen(order, caller, as_buyer=True)


async def _readable(request: Request, caller: Caller, order_id: PathId, secret: Secret = None) -> Seen:
    return await _seen(gate_of(request), caller, ip_of(request), order_id, secret, Permission.ORDER_READ)


async def _cancellable(request: Request, caller: Caller, order_id: PathId, secret: Secret = None) -> Seen:
    return await _seen(gate_of(request), caller, ip_of(request), order_id, secret, Permission.ORDER_CANCEL)


Readable = Annotated[Seen, Depends(_readable)]
Cancellable = Annotated[Seen, Depends(_cancellable)]


def rendered(order: Row) -> dict[str, Any]:
    """An order as its buyer may see it: no suppliers, no screening."""
    currency = order["currency"]
    hidden = ("lines", "total", "refunded", "delivered", "currency", "screening", "overdue")
    return {
        **{name: value for name, value in order.items() if name not in hidden},
        "total": {"amount": order["total"], "currency": currency},
        "delivered": {"amount": order["delivered"], "currency": currency},
        "refunded": {"amount": order["refunded"], "currency": currency},
        "lines": [{name: line[name] for name in OF_A_LINE if line.get(name) is not None} for line in order["lines"]],
    }


async def shown(gate: Gate, order: Row) -> dict[str, Any]:
    """An order with its payment, where a channel collects it."""
    whole = rendered(order)
    if order["payment"] != WALLET:
        asked = {"payment_id": order["order_id"], "status": "requested", "pay_url": None}
        whole["channel_payment"] = await gate.found(CHANNEL_PAYMENT, order["order_id"]) or asked
    return whole


async def history(gate: Gate, seen: Seen) -> list[dict[str, Any]]:
    """The order's events in the order of time."""
    columns = order_history.c
    statement = sa.select(order_history).where(columns.order_id == seen.order["order_id"])
    if seen.as_buyer:
        statement = statement.where(columns.source == "order", columns.event.not_in(STAFF_EVENTS))
    rows = await gate.rows(statement.order_by(columns.at, columns.source, columns.position))
    render = _for_buyer if seen.as_buyer else _for_staff
    return [render(row) for row in rows]


def _for_staff(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("at", "source", "position", "event", "actor", "summary")}


def _for_buyer(row: Row) -> dict[str, Any]:
    names = (*BUYER_FACTS, "reason") if row["event"] == "OrderCancelled" else BUYER_FACTS
    summary = {name: row["summary"][name] for name in names if name in row["summary"]}
    return {"at": row["at"], "event": row["event"], "actor": row["actor"].partition(":")[0], "summary": summary}


async def deliveries(gate: Gate, seen: Seen) -> list[dict[str, Any]]:
    """A buyer's deliveries with their keys, staff's with the keys' numbers. Raises Problem (503)."""
    order_id, delivered = seen.order["order_id"], _delivered(seen.order["lines"])
    rows = await gate.reading.find(DELIVERIES, order_id)
    # The order's log may be read before fulfillment's: a line known as delivered must show what was delivered.
    if delivered - _delivered(rows):
        is_whole = await gate.backend.caught_up("fulfillment")
        rows = await gate.reading.find(DELIVERIES, order_id)
        if not is_whole and delivered - _delivered(rows):
            raise not_shown_yet("delivery")
    if not seen.as_buyer:
        return [{name: value for name, value in row.items() if name != "envelope"} for row in rows]
    return [_opened(gate, row) for row in rows]


def _delivered(lines: Iterable[Row]) -> set[int]:
    return {line["line"] for line in lines if line["status"] == "delivered"}


def _opened(gate: Gate, row: Row) -> dict[str, Any]:
    names = ("line", "sku", "status", "how", "quantity", "target", "requested_at", "ended_at")
    told = {name: row[name] for name in names}
    if row["envelope"] is None:
        return told
    try:
        texts = open_envelope(gate.backend.secrets, row["order_id"], row["delivery_id"], row["envelope"])
    except CannotOpen:
        raise Problem(500, "cannot-open", "the delivery could not be opened; support can help") from None
    keys = [{"number": number, "key": text} for number, text in zip(row["numbers"], texts, strict=True)]
    return {**told, "keys": keys}


async def may_read_order(gate: Gate, caller: Principal, ip: str, order_id: str, secret: str | None) -> bool:
    """Whether a buyer may read this order. Raises Problem (429) for a guesser."""
    try:
        return (await _seen(gate, caller, ip, order_id, secret, Permission.ORDER_READ)).as_buyer
    except Problem as problem:
        if problem.code == "not-found":
            return False
        raise
