"""Orders: placing, listing and reading."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import Field

from services.gateway.access.auth import Permission, Principal
from services.gateway.access.customers import require_customer
from services.gateway.access.places import buyer_address
from services.gateway.http.answers import ASKED, DECIDED, answer, refusals
from services.gateway.http.context import ApiContext, derived_id
from services.gateway.http.depends import Caller, ClientIp, Context, IdempotencyKey, demand, unauthorized
from services.gateway.http.pages import MOST, Cursor, Limit, Page, page
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.problems import Problem
from services.gateway.http.shapes import (
    Body,
    CodeFilter,
    Currency,
    Email,
    Line,
    Name,
    Pieces,
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
from shared.contracts.order import WALLET, OrderLine, PlaceOrder, Wish
from shared.readside.batched_query import Row

router = APIRouter(prefix="/v1/orders", tags=["orders"], route_class=JsonRoute)
SITE = "main"
_HELD = "The most seconds to wait with the answer until "
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
READ = refusals(*ASKED, 404, 429)


class WishBody(Body):
    sku: Sku
    quantity: Pieces
    target: (
        Annotated[Line, Field(description="The account or phone to top up. Products from suppliers need it.")] | None
    ) = None


class Total(Body):
    amount: Annotated[int, Field(ge=0, le=10**15, strict=True)]
    currency: Currency = "CNY"


class OrderBody(Body):
    """What to buy, at the shop's prices. `expected_total`, if given, must equal the total."""

    wishes: Annotated[list[WishBody], Field(min_length=1, max_length=100)]
    payment: Annotated[Name, Field(description="`wallet`, or the name of a payment channel.")] = WALLET
    customer: Annotated[Name, Field(description="Staff only: the customer whom the order is placed for.")] | None = None
    sales_channel: Name = "web"
    channel_order_no: (
        Annotated[
            Name, Field(description="The sales channel's number. It stands for one order, however often it is sent.")
        ]
        | None
    ) = None
    expected_total: Total | None = None
    email: Email = ""
    locale: Literal["zh", "en"] = "zh"
    agent: Annotated[Name, Field(description="Staff only: who earns a commission on the order.")] | None = None


def _customer_of(caller: Principal, body: OrderBody) -> str | None:
    if caller.kind == "staff":
        demand(caller, Permission.ORDER_PLACE)
        return body.customer
    if body.customer is not None and body.customer != caller.subject:
        raise Problem(403, "forbidden", "only staff place orders for others")
    if caller.kind == "customer":
        return caller.subject
    if body.channel_order_no is not None:
        raise unauthorized("sign-in-required", "an order with a number of a sales channel needs a token")
    if body.payment == WALLET:
        raise unauthorized("sign-in-required", "paying by wallet needs a token")
    return None


async def _order_id(context: ApiContext, caller: Principal, body: OrderBody, key: str) -> str:
    """The order's id. Staff share the order numbers of sales channels. Each customer has numbers apart, so that nobody
    can take a number of a sales channel or of another customer."""
    if body.channel_order_no is None:
        return derived_id("order", caller.actor, key)
    shared = derived_id("order", SITE, body.sales_channel, body.channel_order_no)
    if caller.kind == "staff":
        return shared
    # Customers once shared these numbers. An order that they placed then keeps its id.
    former = await access.find(context, shared)
    if (
        former is not None
        and former["customer"] == caller.subject
        and await access.placed_by(context, shared) == caller.actor
    ):
        return shared
    return derived_id("order", SITE, caller.actor, body.sales_channel, body.channel_order_no)


def _check_agent(caller: Principal, customer: str | None, agent: str) -> None:
    """Only staff may name the agent who earns a commission: agents have no accounts."""
    if caller.kind != "staff":
        raise Problem(422, "agent-not-yours-to-name", "only staff may name the agent of an order")
    demand(caller, Permission.ORDER_AGENT)
    if agent == customer:
        raise Problem(422, "own-agent", "nobody earns a commission on their own order")


def _check_key(caller: Principal, key: str | None) -> str:
    if key is None:
        raise Problem(
            400, "idempotency-key-required", "send the header Idempotency-Key, with a new value for every new order"
        )
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
        200: {"model": PlacedOrder | OrderToCome, "description": "The order was placed before by the same request."},
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
    """Answers 201 for a new order, and 200 with `Idempotency-Replayed: true` for a repeated request.

    Keep the answer's `secret`: whoever sends it as `Order-Secret` can read the order. Only the caller who placed the
    order gets it. An order that staff place for a customer has no secret in its answer: the customer reads it with
    their account."""
    key = _check_key(caller, key)
    customer = _customer_of(caller, body)
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
        raise Problem(409, "order-exists", "this number of the sales channel belongs to another order")
    fields = await access.with_payment(context, order) if order else {"order_id": order_id, "status": "placed"}
    if await _may_know_secret(context, caller, body, order_id, was_known):
        fields = {**fields, "secret": order_secret(secrets, order_id)}
    headers = {"Location": f"/v1/orders/{order_id}"}
    if was_known:
        headers["Idempotency-Replayed"] = "true"
    return answer(fields, 200 if was_known else 201, headers)


def _as_placed(command: PlaceOrder, reply: Mapping[str, Any]) -> Row | None:
    """The row of a new order, from the command and its reply; None for the reply of an older order writer."""
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
    """Whether the answer holds the secret. Buyers get the secrets of their own orders. Staff get the secret of an order
    without a customer that they placed first, because nobody else could read it."""
    if caller.kind != "staff":
        return True
    if body.customer is not None:
        return False
    return not was_known or body.channel_order_no is None or await access.placed_by(context, order_id) == caller.actor


@router.get("", summary="List orders", response_model=Page[Order], responses=refusals(*ASKED))
async def list_orders(
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
    """The newest comes first. Customers see their own orders only."""
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


@router.get("/{order_id}", summary="Read an order", response_model=Order, responses=READ)
async def read_order(context: Context, visible: access.Readable, request: Request, wait: UntilOver = 0) -> Response:
    """Allowed for the order's customer, for staff, and for everybody who sends its `Order-Secret`."""
    order = visible.order
    if wait:
        await context.watch.until(order["order_id"], lambda state: state.is_over, wait, request)
        order = await access.find(context, order["order_id"]) or order
    return answer(await access.with_payment(context, order))


@router.get(
    "/{order_id}/history",
    summary="Read the history of an order",
    response_model=OrderHistory,
    responses=READ,
)
async def history(context: Context, visible: access.Readable, limit: Limit = MOST, cursor: Cursor = None) -> Response:
    """What happened and who did it, in the order of time. Buyers see the order's own steps, staff those of all
    services."""
    return await access.history(context, visible, limit, cursor)


@router.get(
    "/{order_id}/deliveries",
    summary="Read the deliveries of an order",
    response_model=OrderDeliveries,
    responses=refusals(*DECIDED, 429),
)
async def deliveries(
    context: Context,
    visible: access.Readable,
    request: Request,
    ip: ClientIp,
    wait: UntilDelivered = 0,
    cursor: Cursor = None,
) -> Response:
    """The buyer gets the keys, staff only their numbers. The order's history records who read them, and from which
    address. Very large deliveries have a `next`."""
    if wait:
        lines = [line["line"] for line in visible.order["lines"]]
        await context.watch.until(visible.order["order_id"], lambda state: state.has_ended(lines), wait, request)
    answer = await access.deliveries(context, visible, ip, cursor)
    answer.headers["Cache-Control"] = "no-store"
    return answer
