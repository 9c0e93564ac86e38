"""Orders: placing, finding, reading, cancelling, refunding, replacing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import Field, model_validator

from services.gateway.access.auth import Permission, Principal
from services.gateway.access.customers import require_customer
from services.gateway.access.places import buyer_address
from services.gateway.http.answers import ASKED, DECIDED, Answer, answer, refusals
from services.gateway.http.context import ApiContext, derived_id
from services.gateway.http.depends import Caller, ClientIp, Context, IdempotencyKey, demand, may, unauthorized
from services.gateway.http.pages import MOST, Cursor, Limit, Page, page
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.problems import Problem
from services.gateway.http.shapes import (
    Body,
    CodeFilter,
    Count,
    Currency,
    Email,
    Line,
    Name,
    Note,
    PathId,
    Pieces,
    Reason,
    Sku,
    SkuFilter,
    When,
)
from services.gateway.orders import access
from services.gateway.orders.answers import (
    Order,
    OrderDeliveries,
    OrderHistory,
    OrderToCome,
    PlacedOrder,
    Status,
)
from services.gateway.orders.buyers import buyer_key, order_secret
from services.gateway.orders.long_poll import LONGEST_SECONDS
from services.gateway.orders.projection import new_order, order_skus, orders
from services.gateway.resource_projection import iso
from shared.contracts import Money
from shared.contracts.order import WALLET, CancelOrder, OrderLine, PlaceOrder, RefundOrder, ReplaceKey, Wish
from shared.readside.batched_query import Row

router = APIRouter(prefix="/v1/orders", tags=["orders"], route_class=JsonRoute)
SITE = "main"
_HELD = "The most seconds to hold the answer back, until "
UntilOver = Annotated[
    float,
    Query(ge=0, le=LONGEST_SECONDS, description=f"{_HELD}the order is completed, cancelled or refunded."),
]
UntilDelivered = Annotated[
    float,
    Query(
        ge=0,
        le=LONGEST_SECONDS,
        description=f"{_HELD}every line is delivered or has failed, or the order is cancelled or refunded.",
    ),
]
GUEST_KEY = 16
SEEN = refusals(*ASKED, 404, 429)


class WishBody(Body):
    sku: Sku
    quantity: Pieces
    target: (
        Annotated[Line, Field(description="The account or phone that it goes to: needed for what suppliers deliver.")]
        | None
    ) = None


class Total(Body):
    amount: Annotated[int, Field(ge=0, le=10**15, strict=True)]
    currency: Currency = "CNY"


class OrderBody(Body):
    """What to buy: prices are ours. `expected_total`, if given, must be what it costs."""

    wishes: Annotated[list[WishBody], Field(min_length=1, max_length=100)]
    payment: Annotated[Name, Field(description="`wallet`, or the name of a payment channel.")] = WALLET
    customer: Annotated[Name, Field(description="Staff only: whom the order is placed for.")] | None = None
    sales_channel: Name = "web"
    channel_order_no: Annotated[Name, Field(description="One order each, however often it is sent.")] | None = None
    expected_total: Total | None = None
    email: Email = ""
    locale: Literal["zh", "en"] = "zh"
    agent: Annotated[Name, Field(description="Staff only: who earns a commission on the order.")] | None = None


class CancelBody(Body):
    note: Note = ""


class RefundBody(Body):
    """`amount` in minor units of the order's currency; all that is left when it is left out.

    `line` and `number`, both or neither, name a delivered key: then its whole price is given back, and it is never
    replaced.
    """

    amount: Annotated[int, Field(ge=1, le=10**15, strict=True)] | None = None
    line: Count | None = None
    number: Count | None = None
    reason: Reason

    @model_validator(mode="after")
    def _whole_key(self) -> RefundBody:
        if (self.line is None) != (self.number is None):
            raise ValueError("a delivered key is named by its line and its number, both of them")
        return self


class ReplacementBody(Body):
    """The delivered key that does not work, by its line and its number."""

    line: Count
    number: Count
    reason: Reason


class RefundOf(Answer):
    """A refund under its id, and the order as it is now."""

    refund_id: str
    order: Order | OrderToCome


def _owner(caller: Principal, body: OrderBody) -> str | None:
    if caller.kind == "staff":
        demand(caller, Permission.ORDER_PLACE)
        return body.customer
    if body.customer is not None and body.customer != caller.subject:
        raise Problem(403, "forbidden", "only staff place orders for others")
    if caller.kind == "customer":
        return caller.subject
    if body.channel_order_no is not None:
        raise unauthorized("sign-in-required", "an order of a sales channel's own number needs a token")
    if body.payment == WALLET:
        raise unauthorized("sign-in-required", "paying by wallet needs a token")
    return None


async def _order_id(context: ApiContext, caller: Principal, body: OrderBody, key: str) -> str:
    """Staff share the sales channels' own order numbers; a customer's are theirs alone, so that nobody can take those
    of a sales channel, or of another customer."""
    if body.channel_order_no is None:
        return derived_id("order", caller.actor, key)
    shared = derived_id("order", SITE, body.sales_channel, body.channel_order_no)
    if caller.kind == "staff":
        return shared
    # Customers shared these numbers once: an order that they placed then is still the same one.
    former = await access.find(context, shared)
    if (
        former is not None
        and former["customer"] == caller.subject
        and await access.placed_by(context, shared) == caller.actor
    ):
        return shared
    return derived_id("order", SITE, caller.actor, body.sales_channel, body.channel_order_no)


def _check_agent(caller: Principal, customer: str | None, agent: str) -> None:
    """Agents have no accounts to sign in with: who earns a commission is for staff to say, not for buyers."""
    if caller.kind != "staff":
        raise Problem(422, "agent-not-yours-to-name", "an order's agent is named by staff")
    demand(caller, Permission.ORDER_AGENT)
    if agent == customer:
        raise Problem(422, "own-agent", "nobody earns a commission on their own order")


def _check_key(caller: Principal, key: str | None) -> str:
    if key is None:
        raise Problem(400, "idempotency-key-required", "send a header Idempotency-Key, new for every new order")
    if caller.kind == "guest" and len(key) < GUEST_KEY:
        detail = f"all guests share one space of keys: use at least {GUEST_KEY} random characters, such as a UUID"
        raise Problem(422, "weak-idempotency-key", detail)
    return key


@router.post(
    "",
    status_code=201,
    summary="Place an order",
    response_model=PlacedOrder | OrderToCome,
    responses={
        **refusals(400, *DECIDED),
        200: {"model": PlacedOrder | OrderToCome, "description": "The same order again: it was placed before."},
    },
)
async def place(
    body: OrderBody,
    context: Context,
    caller: Caller,
    request: Request,
    ip: ClientIp,
    key: IdempotencyKey = None,
    device: Annotated[str, Header(alias="Device-Id", max_length=200, pattern=r"^[\x20-\x7e]*$")] = "",
) -> Response:
    """201 for a new order, 200 with `Idempotency-Replayed: true` for the same one again.

    The answer's `secret` opens the order to whoever sends it as `Order-Secret`: keep it. Only who placed the order is
    answered it; an order that staff place for a customer opens to that customer's account, and has none to tell.
    """
    key = _check_key(caller, key)
    customer = _owner(caller, body)
    if customer is not None:
        await require_customer(context, caller, customer)
    if body.agent is not None:
        _check_agent(caller, customer, body.agent)
    if body.payment != WALLET and body.payment not in context.backend.settings.channels:
        raise Problem(422, "unknown-channel", "there is no such payment channel")
    order_id = await _order_id(context, caller, body, key)
    total = body.expected_total
    secrets = context.backend.secrets
    command = PlaceOrder(
        order_id=order_id,
        wishes=tuple(Wish(sku=wish.sku, quantity=wish.quantity, target=wish.target) for wish in body.wishes),
        customer=customer,
        payment=body.payment,
        sales_channel=body.sales_channel,
        channel_order_no=body.channel_order_no,
        expected_total=Money(amount=total.amount, currency=total.currency) if total else None,
        buyer_key=buyer_key(secrets, order_id),
        ip=buyer_address(caller, ip, context.is_own_site),
        device=device,
        email=body.email,
        locale=body.locale,
        agent=body.agent,
    )
    reply = await context.send(command, caller, context.command_id(caller, request, key), flow=order_id)
    was_known = reply.repeated or bool(reply.answer.get("repeated"))
    order = _as_placed(command, reply.answer) if not was_known else None
    if order is None:
        order = await access.find(context, order_id)
    if order is not None and order["customer"] != customer:
        raise Problem(409, "order-exists", "the sales channel's number belongs to another order")
    shown = await access.shown(context, order) if order else {"order_id": order_id, "status": "placed"}
    if await _may_know_secret(context, caller, body, order_id, was_known):
        shown = {**shown, "secret": order_secret(secrets, order_id)}
    headers = {"Location": f"/v1/orders/{order_id}"}
    if was_known:
        headers["Idempotency-Replayed"] = "true"
    return answer(shown, 200 if was_known else 201, headers)


def _as_placed(command: PlaceOrder, reply: Mapping[str, Any]) -> Row | None:
    """The row of a new order, from the command and its reply; None for the reply of an order writer of before."""
    if "lines" not in reply:
        return None
    row = new_order(
        [OrderLine.model_validate(line) for line in reply["lines"]],
        Money(amount=reply["total"], currency=reply["currency"]),
        datetime.fromisoformat(reply["pay_by"]),
        datetime.fromisoformat(reply["placed_at"]),
        order_id=command.order_id,
        site=SITE,
        customer=command.customer,
        agent=command.agent,
        payment=command.payment,
        sales_channel=command.sales_channel,
        channel_order_no=command.channel_order_no,
    )
    return dict.fromkeys(orders.c.keys()) | row


async def _may_know_secret(
    context: ApiContext, caller: Principal, body: OrderBody, order_id: str, was_known: bool
) -> bool:
    """Buyers know the secrets of their own orders, whose ids are theirs alone. Staff know those of orders that they
    placed first and that have no customer: nobody else could read these."""
    if caller.kind != "staff":
        return True
    if body.customer is not None:
        return False
    return not was_known or body.channel_order_no is None or await access.placed_by(context, order_id) == caller.actor


@router.get("", summary="List orders", response_model=Page[Order], responses=refusals(*ASKED))
async def listed(
    context: Context,
    caller: Caller,
    status: Status | None = None,
    customer: CodeFilter = None,
    sku: SkuFilter = None,
    placed_from: Annotated[When | None, Query(description="Placed at or after.")] = None,
    placed_to: Annotated[When | None, Query(description="Placed before.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The newest first. Customers find their own orders only."""
    if caller.kind == "customer":
        customer = caller.subject
    else:
        demand(caller, Permission.ORDER_READ)
    statement = sa.select(orders)
    if status is not None:
        statement = statement.where(orders.c.status == status)
    if customer is not None:
        statement = statement.where(orders.c.customer == customer)
    if sku is not None:
        statement = statement.where(
            orders.c.order_id.in_(sa.select(order_skus.c.order_id).where(order_skus.c.sku == sku))
        )
    if placed_from is not None:
        statement = statement.where(orders.c.placed_at >= iso(placed_from))
    if placed_to is not None:
        statement = statement.where(orders.c.placed_at < iso(placed_to))
    return await page(
        context, statement, (orders.c.placed_at, orders.c.order_id), limit, cursor, render=access.rendered
    )


@router.get("/{order_id}", summary="Read an order", response_model=Order, responses=SEEN)
async def one(context: Context, seen: access.Readable, request: Request, wait: UntilOver = 0) -> Response:
    """For its customer, staff, and whoever sends its `Order-Secret`."""
    order = seen.order
    if wait:
        await context.watch.until(order["order_id"], lambda state: state.is_over, wait, request)
        order = await access.find(context, order["order_id"]) or order
    return answer(await access.shown(context, order))


@router.get(
    "/{order_id}/history",
    summary="What happened to an order, and who did it",
    response_model=OrderHistory,
    responses=SEEN,
)
async def history(context: Context, seen: access.Readable, limit: Limit = MOST, cursor: Cursor = None) -> Response:
    """In the order of time. Buyers see the order's own steps; staff see what every service did."""
    return await access.history(context, seen, limit, cursor)


@router.get(
    "/{order_id}/deliveries",
    summary="What was delivered",
    response_model=OrderDeliveries,
    responses=refusals(*DECIDED, 429),
)
async def deliveries(
    context: Context,
    seen: access.Readable,
    request: Request,
    ip: ClientIp,
    wait: UntilDelivered = 0,
    cursor: Cursor = None,
) -> Response:
    """Opens the keys for the buyer; staff see their numbers only. The order's history tells who did, and from where.
    `next` is there when the lines are very large."""
    if wait:
        lines = [line["line"] for line in seen.order["lines"]]
        await context.watch.until(seen.order["order_id"], lambda state: state.has_ended(lines), wait, request)
    answer = await access.deliveries(context, seen, ip, cursor)
    answer.headers["Cache-Control"] = "no-store"
    return answer


async def _now(context: ApiContext, order_id: str) -> dict[str, Any]:
    order = await access.find(context, order_id)
    return await access.shown(context, order) if order else {"order_id": order_id}


@router.post(
    "/{order_id}/cancel",
    summary="Cancel an order that is not yet confirmed",
    response_model=Order | OrderToCome,
    responses=refusals(*DECIDED, 429),
)
async def cancel(
    body: CancelBody, context: Context, seen: access.Cancellable, request: Request, key: IdempotencyKey = None
) -> Response:
    """For its buyer and for staff."""
    order_id = seen.order["order_id"]
    by = "buyer" if seen.as_buyer else "staff"
    command_id = context.command_id(seen.caller, request, key)
    await context.send(CancelOrder(order_id=order_id, by=by, note=body.note), seen.caller, command_id, flow=order_id)
    return answer(await _now(context, order_id))


@router.post(
    "/{order_id}/refunds",
    status_code=202,
    summary="Give money back",
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
    """To where it came from; never more than was paid. A refund that failed is tried again when nothing else is left,
    or when its amount is asked for."""
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
    told = {"refund_id": reply.answer.get("refund_id", command_id), "order": await _now(context, order_id)}
    return answer(told, 202)


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
    """By a fresh one of the same product, or its price when none is left."""
    await access.existing(context, caller, order_id)
    command_id = context.command_id(caller, request, key)
    command = ReplaceKey(order_id=order_id, line=body.line, number=body.number, reason=body.reason)
    await context.send(command, caller, command_id, flow=order_id)
    return answer(await _now(context, order_id), 202)
