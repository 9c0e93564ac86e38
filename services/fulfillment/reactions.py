"""What fulfillment does when something happens, and what it puts on its agenda."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.contracts import Call, Cancel, Command, Event, Plan, Planner, Reaction
from shared.contracts.fulfillment import (
    DeliverLine,
    DeliveryHandedOver,
    PurchaseFailed,
    PurchasePending,
    PurchaseRequested,
    SupplierDelivered,
    TakeKeys,
    delivery_id,
    purchase_request_id,
)
from shared.contracts.inventory import StockReserved
from shared.contracts.order import OrderConfirmed, ReplacementConfirmed

FIRST_POLL_AFTER = timedelta(seconds=1)


def keys_reserved(event: StockReserved) -> list[Command]:
    """Inventory has keys for a line."""
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


def order_confirmed(event: OrderConfirmed) -> list[Command]:
    """Every line is to be delivered."""
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


def replacement_confirmed(event: ReplacementConfirmed) -> list[Command]:
    """A replacement line is to be delivered; its stock is reserved in one attempt only."""
    return [
        DeliverLine(
            delivery_id=delivery_id(event.order_id, event.line.line),
            order_id=event.order_id,
            line=event.line,
            attempt=1,
            buyer_key=event.buyer_key,
        )
    ]


def buy(event: PurchaseRequested, at: datetime) -> list[Plan]:
    """Buy from the supplier at once."""
    payload = {
        "delivery_id": event.delivery_id,
        "supplier": event.supplier,
        "request_id": event.request_id,
        "sku": event.sku,
        "quantity": event.quantity,
        "target": event.target,
    }
    return [Call(key=event.request_id, effect="purchase", payload=payload)]


def poll(event: PurchasePending, at: datetime) -> list[Plan]:
    """Ask from time to time, in case the callback is lost. Takes the place of the purchase call."""
    payload = {"delivery_id": event.delivery_id, "supplier": event.supplier, "request_id": event.request_id}
    return [Call(key=event.request_id, effect="poll_purchase", payload=payload, at=at + FIRST_POLL_AFTER)]


def stop_asking(event: PurchaseFailed | SupplierDelivered, at: datetime) -> list[Plan]:
    """The supplier has answered."""
    return [Cancel(purchase_request_id(event.delivery_id, event.supplier))]


def leave_to_people(event: DeliveryHandedOver, at: datetime) -> list[Plan]:
    """A call that gave up is now a person's delivery: one place to look at is enough."""
    return [Cancel(purchase_request_id(event.delivery_id, event.supplier))] if event.supplier else []


REACTIONS: Mapping[type[Event], Reaction] = {
    StockReserved: keys_reserved,
    OrderConfirmed: order_confirmed,
    ReplacementConfirmed: replacement_confirmed,
}

PLANS: Mapping[type[Event], Planner] = {
    PurchaseRequested: buy,
    PurchasePending: poll,
    PurchaseFailed: stop_asking,
    SupplierDelivered: stop_asking,
    DeliveryHandedOver: leave_to_people,
}
