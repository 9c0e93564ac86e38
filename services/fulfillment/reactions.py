"""Fulfillment's reactions to events, and the calls that it schedules. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.contracts import CallExternal, Cancel, Command, Event, Plan, Planner, Reaction
from shared.contracts.fulfillment import (
    DeliverLine,
    DeliveryHandedOver,
    PurchaseFailed,
    PurchasePending,
    PurchaseRequested,
    SupplierDelivered,
    SupplierStatementRecorded,
    TakeKeys,
    delivery_id,
    purchase_request_id,
)
from shared.contracts.inventory import StockReserved
from shared.contracts.order import OrderConfirmed, ReplacementConfirmed

FIRST_POLL_AFTER = timedelta(seconds=1)
LOOK_AGAIN_AFTER = timedelta(seconds=30)


def on_stock_reserved(event: StockReserved) -> list[Command]:
    """Take the keys that inventory reserved for a line."""
    return [
        TakeKeys(
            delivery_id=delivery_id(event.order_id, event.line),
            order_id=event.order_id,
            line=event.line,
            attempt=event.attempt,
            sku=event.sku,
            keys=event.keys,
        )
    ]


def on_order_confirmed(event: OrderConfirmed) -> list[Command]:
    """Deliver every line."""
    return [
        DeliverLine(
            delivery_id=delivery_id(event.order_id, line.line),
            order_id=event.order_id,
            line=line,
            attempt=event.attempt,
            buyer_key=event.buyer_key,
        )
        for line in event.lines
    ]


def on_replacement_confirmed(event: ReplacementConfirmed) -> list[Command]:
    """Deliver a replacement line. Its stock is reserved in one attempt only."""
    return [
        DeliverLine(
            delivery_id=delivery_id(event.order_id, event.line.line),
            order_id=event.order_id,
            line=event.line,
            attempt=1,
            buyer_key=event.buyer_key,
        )
    ]


def plan_purchase(event: PurchaseRequested, at: datetime) -> list[Plan]:
    """Buy from the supplier at once."""
    payload = {
        "delivery_id": event.delivery_id,
        "supplier": event.supplier,
        "request_id": event.request_id,
        "sku": event.sku,
        "quantity": event.quantity,
        "target": event.target,
    }
    return [CallExternal(key=event.request_id, effect="purchase", payload=payload)]


def plan_poll(event: PurchasePending, at: datetime) -> list[Plan]:
    """Poll the supplier, in case its callback is lost. This replaces the call that buys."""
    payload = {"delivery_id": event.delivery_id, "supplier": event.supplier, "request_id": event.request_id}
    return [CallExternal(key=event.request_id, effect="poll_purchase", payload=payload, at=at + FIRST_POLL_AFTER)]


def cancel_asking(event: SupplierDelivered, at: datetime) -> list[Plan]:
    """Cancel the calls about a purchase that is delivered."""
    return _cancel_calls(event.delivery_id, event.supplier)


def plan_after_statement(event: SupplierStatementRecorded, at: datetime) -> list[Plan]:
    """After a late success, cancel the calls: a person settles it. After a failure, look the purchase up later, because
    it may still succeed."""
    if event.outcome == "done":
        return _cancel_calls(event.delivery_id, event.supplier)
    return _look_up_later(event.delivery_id, event.supplier, at)


def _cancel_calls(delivery_id: str, supplier: str) -> list[Plan]:
    request_id = purchase_request_id(delivery_id, supplier)
    return [Cancel(request_id), Cancel(look_up_key(request_id))]


def plan_look_up(event: PurchaseFailed, at: datetime) -> list[Plan]:
    """Look a failed purchase up later: it may still succeed, and its callback may be lost."""
    return _look_up_later(event.delivery_id, event.supplier, at)


def plan_look_up_of_handover(event: DeliveryHandedOver, at: datetime) -> list[Plan]:
    """Look the purchase up later, although a person now sees to the delivery: it may still succeed."""
    return _look_up_later(event.delivery_id, event.supplier, at) if event.supplier else []


def look_up_key(request_id: str) -> str:
    """The scheduler's key of the look-ups after a purchase failed or was handed over to a person."""
    return f"again/{request_id}"


def _look_up_later(delivery_id: str, supplier: str, at: datetime) -> list[Plan]:
    request_id = purchase_request_id(delivery_id, supplier)
    payload = {"delivery_id": delivery_id, "supplier": supplier, "request_id": request_id, "since": at.isoformat()}
    return [Cancel(request_id), CallExternal(look_up_key(request_id), "look_again", payload, at + LOOK_AGAIN_AFTER)]


REACTIONS: Mapping[type[Event], Reaction] = {
    StockReserved: on_stock_reserved,
    OrderConfirmed: on_order_confirmed,
    ReplacementConfirmed: on_replacement_confirmed,
}

PLANS: Mapping[type[Event], Planner] = {
    PurchaseRequested: plan_purchase,
    PurchasePending: plan_poll,
    PurchaseFailed: plan_look_up,
    SupplierDelivered: cancel_asking,
    SupplierStatementRecorded: plan_after_statement,
    DeliveryHandedOver: plan_look_up_of_handover,
}
