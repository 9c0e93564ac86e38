"""What fulfillment does when something happens, and what it puts on its agenda."""

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


def on_order_confirmed(event: OrderConfirmed) -> list[Command]:
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


def on_replacement_confirmed(event: ReplacementConfirmed) -> list[Command]:
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
    return [CallExternal(key=event.request_id, effect="purchase", payload=payload)]


def poll(event: PurchasePending, at: datetime) -> list[Plan]:
    """Ask from time to time, in case the callback is lost. Takes the place of the purchase call."""
    payload = {"delivery_id": event.delivery_id, "supplier": event.supplier, "request_id": event.request_id}
    return [CallExternal(key=event.request_id, effect="poll_purchase", payload=payload, at=at + FIRST_POLL_AFTER)]


def stop_asking(event: SupplierDelivered, at: datetime) -> list[Plan]:
    """The supplier has delivered."""
    return _stop(event.delivery_id, event.supplier)


def after_statement(event: SupplierStatementRecorded, at: datetime) -> list[Plan]:
    """What is done stays so, and a person sees to it. A no may turn into a late success, as a first one may."""
    if event.outcome == "done":
        return _stop(event.delivery_id, event.supplier)
    return _look_again(event.delivery_id, event.supplier, at)


def _stop(delivery_id: str, supplier: str) -> list[Plan]:
    request_id = purchase_request_id(delivery_id, supplier)
    return [Cancel(request_id), Cancel(look_again_key(request_id))]


def look_again(event: PurchaseFailed, at: datetime) -> list[Plan]:
    """A no is believed, and asked about from time to time: it may come about late, and its callback be lost."""
    return _look_again(event.delivery_id, event.supplier, at)


def leave_to_people(event: DeliveryHandedOver, at: datetime) -> list[Plan]:
    """A call that gave up is now a person's delivery; whether it came about after all is asked all the same."""
    return _look_again(event.delivery_id, event.supplier, at) if event.supplier else []


def look_again_key(request_id: str) -> str:
    """The agenda key of the look-ups that go on after a purchase failed or was left to a person."""
    return f"again/{request_id}"


def _look_again(delivery_id: str, supplier: str, at: datetime) -> list[Plan]:
    request_id = purchase_request_id(delivery_id, supplier)
    payload = {"delivery_id": delivery_id, "supplier": supplier, "request_id": request_id, "since": at.isoformat()}
    return [Cancel(request_id), CallExternal(look_again_key(request_id), "look_again", payload, at + LOOK_AGAIN_AFTER)]


REACTIONS: Mapping[type[Event], Reaction] = {
    StockReserved: on_stock_reserved,
    OrderConfirmed: on_order_confirmed,
    ReplacementConfirmed: on_replacement_confirmed,
}

PLANS: Mapping[type[Event], Planner] = {
    PurchaseRequested: buy,
    PurchasePending: poll,
    PurchaseFailed: look_again,
    SupplierDelivered: stop_asking,
    SupplierStatementRecorded: after_statement,
    DeliveryHandedOver: leave_to_people,
}
