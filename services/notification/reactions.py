"""Who is told of what: buyers of the end of their order, staff of what needs a person."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from services.notification.domain import STAFF
from shared.contracts import Call, Command, Event, Plan, Planner, Reaction
from shared.contracts.fulfillment import DeliveryHandedOver
from shared.contracts.gateway import WebhookEndpointDisabled
from shared.contracts.inventory import StockRanLow
from shared.contracts.ledger import PaymentOpeningFailed, ReturnFailed
from shared.contracts.notification import MessageChannel, MessageQueued, SendMessage
from shared.contracts.order import DeliveryOverdue, OrderCancelled, OrderCompleted, RefundRecorded
from shared.contracts.risk import CaseOpened

STAFF_CHANNELS: tuple[MessageChannel, ...] = ("console", "webhook")
STOCK_ALERT_PAUSE_SECONDS = 600
WEBHOOK_ALERT_PAUSE_SECONDS = 60
LONGEST_ID = 80

Params = dict[str, str | int]


def message_id(template: str, *parts: str) -> str:
    """`<template>/<part>/...`; parts that are too long for an id are replaced by their hash."""
    whole = "/".join((template, *parts))
    if len(whole) <= LONGEST_ID:
        return whole
    return f"{template}/{hashlib.sha256(whole.encode()).hexdigest()[:40]}"


def order_completed(event: OrderCompleted) -> list[Command]:
    params: Params = {"delivered": str(event.delivered), "undelivered": _unless_zero(event)}
    return _to_buyer(event, "order-completed", (event.order_id,), params)


def order_cancelled(event: OrderCancelled) -> list[Command]:
    params: Params = {"reason": event.reason, "paid": int(event.paid)}
    return _to_buyer(event, "order-cancelled", (event.order_id, event.reason), params)


def refund_recorded(event: RefundRecorded) -> list[Command]:
    params: Params = {"amount": str(event.amount), "refunded": str(event.refunded), "full": int(event.full)}
    return _to_buyer(event, "refund-recorded", (event.order_id, event.refund_id), params)


def stock_ran_low(event: StockRanLow) -> list[Command]:
    params: Params = {"sku": event.sku, "available": event.available, "threshold": event.threshold}
    return _to_staff("stock-low", (event.sku,), params, again_after_seconds=STOCK_ALERT_PAUSE_SECONDS)


def delivery_handed_over(event: DeliveryHandedOver) -> list[Command]:
    params: Params = {"line": event.line, "sku": event.sku, "reason": event.reason}
    return _to_staff("delivery-handed-over", (event.order_id, str(event.line)), params, event.order_id)


def case_opened(event: CaseOpened) -> list[Command]:
    params: Params = {"amount": str(event.amount), "rules": len(event.reasons)}
    return _to_staff("case-opened", (event.order_id,), params, event.order_id)


def delivery_overdue(event: DeliveryOverdue) -> list[Command]:
    lines = [str(line) for line in event.lines]
    params: Params = {"lines": ", ".join(lines)}
    return _to_staff("delivery-overdue", (event.order_id, "-".join(lines)), params, event.order_id)


def return_failed(event: ReturnFailed) -> list[Command]:
    params: Params = {"payment": event.payment_id, "amount": str(event.amount), "reason": event.reason}
    return _to_staff("return-failed", (event.payment_id, event.return_id), params)


def payment_opening_failed(event: PaymentOpeningFailed) -> list[Command]:
    params: Params = {"payment": event.payment_id, "reason": event.reason}
    return _to_staff("payment-opening-failed", (event.payment_id,), params)


def webhook_disabled(event: WebhookEndpointDisabled) -> list[Command]:
    if event.reason == "asked":
        return []
    params: Params = {"endpoint": event.endpoint_id, "name": event.name, "reason": event.reason}
    pause = WEBHOOK_ALERT_PAUSE_SECONDS
    return _to_staff("webhook-disabled", (event.endpoint_id,), params, again_after_seconds=pause)


def send(event: MessageQueued, at: datetime) -> list[Plan]:
    """The message goes out at once; a newer round takes an unsent older one's place."""
    payload = {**event.model_dump(mode="json"), "queued_at": at.isoformat()}
    return [Call(key=event.message_id, effect="send", payload=payload)]


def _unless_zero(event: OrderCompleted) -> str:
    return str(event.undelivered) if event.undelivered.amount else ""


def _to_buyer(
    event: OrderCompleted | OrderCancelled | RefundRecorded, template: str, parts: tuple[str, ...], params: Params
) -> list[Command]:
    if not event.email:
        return []
    return [
        SendMessage(
            message_id=message_id(template, *parts),
            channel="email",
            to=event.email,
            template=template,
            locale=event.locale,
            params=params,
            order_id=event.order_id,
        )
    ]


def _to_staff(
    template: str,
    parts: tuple[str, ...],
    params: Params,
    order_id: str | None = None,
    again_after_seconds: int | None = None,
) -> list[Command]:
    return [
        SendMessage(
            message_id=message_id(template, *parts, channel),
            channel=channel,
            to=STAFF,
            template=template,
            params=params,
            order_id=order_id,
            again_after_seconds=again_after_seconds,
        )
        for channel in STAFF_CHANNELS
    ]


REACTIONS: Mapping[type[Event], Reaction] = {
    OrderCompleted: order_completed,
    OrderCancelled: order_cancelled,
    RefundRecorded: refund_recorded,
    StockRanLow: stock_ran_low,
    DeliveryHandedOver: delivery_handed_over,
    CaseOpened: case_opened,
    DeliveryOverdue: delivery_overdue,
    ReturnFailed: return_failed,
    PaymentOpeningFailed: payment_opening_failed,
    WebhookEndpointDisabled: webhook_disabled,
}
PLANS: Mapping[type[Event], Planner] = {MessageQueued: send}
