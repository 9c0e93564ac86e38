"""Who may see an order, and which parts of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Depends, Header, Request, Response

from services.gateway.access.auth import Permission, Principal
from services.gateway.access.places import place_of
from services.gateway.deliveries.projection import deliveries as deliveries_table
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import Caller, context_of, demand, ip_of, slow_down
from services.gateway.http.pages import Items, as_json, encode, page, place
from services.gateway.http.problems import Problem, not_found, not_shown_yet
from services.gateway.http.shapes import PathId
from services.gateway.orders.buyers import is_secret_of, open_envelope
from services.gateway.orders.history import order_history
from services.gateway.orders.projection import orders
from services.gateway.payments.projection import payments
from shared.contracts.gateway import RecordOpening
from shared.contracts.order import WALLET
from shared.readside.batched_query import BatchedQuery, Row
from shared.security.sealing import CannotOpen

Secret = Annotated[
    str | None,
    Header(alias="Order-Secret", max_length=200, description="The `secret` from the answer to placing the order."),
]
ORDER = BatchedQuery(orders.c.order_id)
DELIVERIES = BatchedQuery(deliveries_table.c.order_id)
CHANNEL_PAYMENT = BatchedQuery(payments.c.payment_id, payments.c.status, payments.c.reason, payments.c.pay_url)
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
    "shown",
    "address",
)
OPENED = "DeliveriesOpened"
SMALL_ENVELOPES = 8_192  # characters of envelopes that are opened at once: handing them to a thread costs more
STAFF_EVENTS = ("ScreeningRecorded", "DeliveryOverdue")


@dataclass(frozen=True)
class VisibleOrder:
    """An order that the caller may see, as its buyer or as staff. `opens` says whether the caller sees the keys. Staff
    who hold the order's secret see them as staff: those who placed it for a buyer without an account, for example."""

    order: Row
    caller: Principal
    as_buyer: bool
    opens: bool


async def find(context: ApiContext, order_id: str) -> Row | None:
    return await context.found(ORDER, order_id)


async def placed_by(context: ApiContext, order_id: str) -> str | None:
    """The actor who placed an order, None while the read models do not hold it."""
    c = order_history.c
    statement = sa.select(c.actor).where(c.order_id == order_id, c.source == "order", c.event == "OrderPlaced")
    row = await context.row(statement)
    return row["actor"] if row else None


async def existing(context: ApiContext, caller: Principal, order_id: str) -> Row:
    """The order, for staff. Raises Problem: 404, or 503 while it may yet be shown."""
    order = await find(context, order_id)
    if order is None:
        raise await context.absent(caller, "order", "order")
    return order


async def _proven(context: ApiContext, order_id: str) -> Row:
    """An order whose secret the caller knows, so it exists. Raises Problem (503) while it is not shown yet."""
    order = await find(context, order_id)
    if order is None:
        raise not_shown_yet("order")
    return order


async def _visible_order(
    context: ApiContext, caller: Principal, ip: str, order_id: str, secret: str | None, need: Permission
) -> VisibleOrder:
    """The order, if the caller may see it. Others do not even learn whether it exists. Staff need the permission even
    with the secret. Raises Problem: 401, 403, 404, 429 after too many wrong secrets, 503."""
    is_staff = caller.kind == "staff"
    if is_staff:
        demand(caller, need)
    if secret is not None:
        place = place_of(ip)
        guesses = ((context.wrong_secrets, f"{place}\n{order_id}"), (context.wrong_secrets_of_place, place))
        for throttle, guesser in guesses:
            slow_down(throttle, guesser)
        if not is_secret_of(context.backend.secrets, order_id, secret):
            for throttle, guesser in guesses:
                throttle.tried(guesser)
            raise not_found("order")
        return VisibleOrder(await _proven(context, order_id), caller, as_buyer=not is_staff, opens=True)
    if is_staff:
        return VisibleOrder(await existing(context, caller, order_id), caller, as_buyer=False, opens=False)
    order = await find(context, order_id)
    if order is None or caller.kind == "guest" or order["customer"] != caller.subject:
        raise await context.absent(caller, "order", "order")
    return VisibleOrder(order, caller, as_buyer=True, opens=True)


async def _readable(request: Request, caller: Caller, order_id: PathId, secret: Secret = None) -> VisibleOrder:
    return await _visible_order(context_of(request), caller, ip_of(request), order_id, secret, Permission.ORDER_READ)


async def _cancellable(request: Request, caller: Caller, order_id: PathId, secret: Secret = None) -> VisibleOrder:
    return await _visible_order(context_of(request), caller, ip_of(request), order_id, secret, Permission.ORDER_CANCEL)


Readable = Annotated[VisibleOrder, Depends(_readable)]
Cancellable = Annotated[VisibleOrder, Depends(_cancellable)]


def rendered(order: Row) -> dict[str, Any]:
    """An order as its buyer may see it: without suppliers and screening."""

    def money(amount: int) -> dict[str, Any]:
        return {"amount": amount, "currency": order["currency"]}

    hidden = ("lines", "total", "refunded", "refunds", "delivered", "currency", "screening", "overdue")
    return {
        **{name: value for name, value in order.items() if name not in hidden},
        "total": money(order["total"]),
        "delivered": money(order["delivered"]),
        "refunded": money(order["refunded"]),
        "refunds": [
            {"refund_id": refund_id, "status": part["status"], "amount": money(part["amount"])}
            for refund_id, part in (order["refunds"] or {}).items()
        ],
        "lines": [{name: line[name] for name in OF_A_LINE if line.get(name) is not None} for line in order["lines"]],
    }


async def with_payment(context: ApiContext, order: Row) -> dict[str, Any]:
    """An order, with its payment if a channel collects it."""
    fields = rendered(order)
    if order["payment"] != WALLET:
        requested = {"payment_id": order["order_id"], "status": "requested", "reason": None, "pay_url": None}
        fields["channel_payment"] = await context.found(CHANNEL_PAYMENT, order["order_id"]) or requested
    return fields


async def history(context: ApiContext, visible: VisibleOrder, limit: int, cursor: str | None) -> Response:
    """A page of the order's events in the order of time."""
    # An opening is recorded without waiting for the read models; who opened keys finds it here all the same.
    if cursor is None:
        await context.backend.caught_up("gateway")
    columns = order_history.c
    statement = sa.select(order_history).where(columns.order_id == visible.order["order_id"])
    if visible.as_buyer:
        own = (columns.source == "order") & columns.event.not_in(STAFF_EVENTS)
        statement = statement.where(own | (columns.event == OPENED))
    by = (columns.at, columns.source, columns.position)
    render = _for_buyer if visible.as_buyer else _for_staff
    return await page(context, statement, by, limit, cursor, ascending=True, render=render)


def _for_staff(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("at", "source", "position", "event", "actor", "summary")}


def _for_buyer(row: Row) -> dict[str, Any]:
    names = (*BUYER_FACTS, "reason") if row["event"] == "OrderCancelled" else BUYER_FACTS
    summary = {name: row["summary"][name] for name in names if name in row["summary"]}
    return {"at": row["at"], "event": row["event"], "actor": row["actor"].partition(":")[0], "summary": summary}


async def deliveries(context: ApiContext, visible: VisibleOrder, ip: str, cursor: str | None) -> Response:
    """A page of deliveries, with their keys if the caller opens them, else with the keys' numbers. The reading is
    recorded before anything is shown. Raises Problem (422, 503, 504)."""
    after = place(cursor, (deliveries_table.c.delivery_id,))[0] if cursor is not None else None
    order_id, delivered = visible.order["order_id"], _delivered(visible.order["lines"])
    rows = await context.reading.find(DELIVERIES, order_id)
    # The read models may hold more of the order's log than of fulfillment's. A delivered line must show its delivery.
    if delivered - _delivered(rows):
        is_whole = await context.backend.caught_up("fulfillment")
        rows = await context.reading.find(DELIVERIES, order_id)
        if not is_whole and delivered - _delivered(rows):
            raise not_shown_yet("delivery")
    if any(row["envelope"] is not None for row in rows):
        await _record_opening(context, visible, ip)
    render = partial(_opened, context) if visible.opens else _closed
    if sum(len(row["envelope"] or "") for row in rows) <= SMALL_ENVELOPES:
        return _page_of_deliveries(rows, after, render)
    return await context.in_page_thread(_page_of_deliveries, rows, after, render)


def _page_of_deliveries(rows: Sequence[Row], after: str | None, render: Callable[[Row], dict[str, Any]]) -> Response:
    ids = [row["delivery_id"] for row in rows]
    items, last = Items(len(rows)), after
    for row in rows[ids.index(after) + 1 if after in ids else 0 :]:
        if not items.take(as_json(render(row))):
            return items.answer(encode([last]))
        last = row["delivery_id"]
    return items.answer(None)


def _closed(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "envelope"}


async def _record_opening(context: ApiContext, visible: VisibleOrder, ip: str) -> None:
    order_id, shown = visible.order["order_id"], "keys" if visible.opens else "numbers"
    command = RecordOpening(order_id=order_id, shown=shown, address=ip)
    # What is recorded is durable; the answer shows nothing of it.
    await context.send(command, visible.caller, context.backend.ids.new_id(), flow=order_id, wait=False)


def _delivered(lines: Iterable[Row]) -> set[int]:
    return {line["line"] for line in lines if line["status"] == "delivered"}


def _opened(context: ApiContext, row: Row) -> dict[str, Any]:
    names = ("line", "sku", "status", "how", "quantity", "target", "requested_at", "ended_at")
    fields = {name: row[name] for name in names}
    if row["envelope"] is None:
        return fields
    try:
        texts = open_envelope(context.backend.secrets, row["order_id"], row["delivery_id"], row["envelope"])
    except CannotOpen:
        raise Problem(500, "cannot-open", "the delivery could not be opened; please ask the support") from None
    # A supplier's texts have no numbers in our stock: they are counted from 1.
    numbers = row["numbers"] if row["numbers"] is not None else range(1, len(texts) + 1)
    keys = [{"number": number, "key": text} for number, text in zip(numbers, texts, strict=True)]
    return {**fields, "keys": keys}


async def may_read_order(context: ApiContext, caller: Principal, ip: str, order_id: str, secret: str | None) -> bool:
    """Whether the caller may read this order as its buyer. Raises Problem (429) after too many wrong secrets."""
    try:
        return (await _visible_order(context, caller, ip, order_id, secret, Permission.ORDER_READ)).as_buyer
    except Problem as problem:
        if problem.code == "not-found":
            return False
        raise
