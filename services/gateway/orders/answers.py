"""Answers about orders, their history and their deliveries."""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue

from services.gateway.http.answers import Answer
from services.gateway.http.pages import Page
from shared.contracts import Money
from shared.contracts.inventory import Kind

Status = Literal[
    "placed",
    "paid",
    "delivering",
    "completed",
    "cancelled",
    "refund-pending",
    "refund-failed",
    "partly-refunded",
    "refunded",
]


class ReplacedKey(Answer):
    line: int
    number: int


class Line(Answer):
    """A line as it was sold. `replaces` names the key that a replacement stands for."""

    line: int
    sku: str
    name: str
    kind: Kind
    quantity: int
    unit_price: Money
    amount: Money
    target: str | None = None
    status: Literal["waiting", "delivered", "failed"]
    replaces: ReplacedKey | int | None = None


class Refund(Answer):
    refund_id: str
    status: Literal["pending", "failed", "refunded", "partly-refunded"]
    amount: Money


class ChannelPayment(Answer):
    """The payment of an order that a channel collects."""

    payment_id: str
    status: str
    reason: str | None
    pay_url: str | None


class Order(Answer):
    order_id: str
    site: str
    status: Status
    customer: str | None
    agent: str | None
    payment: str
    sales_channel: str
    channel_order_no: str | None
    attempt: int
    cancel_reason: str | None
    pay_by: str
    placed_at: str
    paid_at: str | None
    confirmed_at: str | None
    completed_at: str | None
    cancelled_at: str | None
    refund_requested_at: str | None
    payment_problem: str | None
    total: Money
    delivered: Money
    refunded: Money
    refunds: list[Refund]
    lines: list[Line]
    channel_payment: ChannelPayment | None = None


class PlacedOrder(Order):
    """A placed order. Whoever sends its `secret` as `Order-Secret` can read the order. Only the caller who placed it
    gets it."""

    secret: str | None = None


class OrderToCome(Answer):
    """An order that was accepted and is not shown yet."""

    order_id: str
    status: Literal["placed"] | None = None
    secret: str | None = None


class StaffStep(Answer):
    """An event of the order, with the few facts that staff may see."""

    at: str
    source: str
    position: int
    event: str
    actor: str
    summary: dict[str, JsonValue]


class BuyerStep(Answer):
    at: str
    event: str
    actor: str
    summary: dict[str, JsonValue]


class DeliveredKey(Answer):
    number: int
    key: str


class OpenedDelivery(Answer):
    """A line's delivery with its keys, once there are any."""

    line: int
    sku: str
    status: str
    how: str | None
    quantity: int | None
    target: str | None
    requested_at: str | None
    ended_at: str | None
    keys: list[DeliveredKey] | None = None


class ClosedDelivery(Answer):
    """A line's delivery for staff, with the numbers of the keys instead of the keys."""

    order_id: str
    line: int
    delivery_id: str
    sku: str
    status: str
    how: str | None
    quantity: int | None
    target: str | None
    numbers: list[int] | None
    supplier: str | None
    supplier_ref: str | None
    reason: str | None
    requested_at: str | None
    handed_over_at: str | None
    ended_at: str | None


class OrderHistory(Page[StaffStep | BuyerStep]):
    """A page of an order's steps, as staff or as its buyer see them."""


class OrderDeliveries(Page[OpenedDelivery | ClosedDelivery]):
    """A page of an order's deliveries."""
