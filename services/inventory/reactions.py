"""What inventory does when it hears of orders and deliveries, and what it wants done later. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from shared.contracts import Cancel, Command, Event, Later, Plan, Planner, Reaction
from shared.contracts.fulfillment import DeliveryFailed, DeliveryResolved, KeysDelivered
from shared.contracts.inventory import (
    ExpireReservation,
    FaultKey,
    ReleaseStock,
    ReserveStock,
    SettleStock,
    StockReleased,
    StockReserved,
    StockSettled,
)
from shared.contracts.order import OrderCancelled, OrderLine, OrderPlaced, OrderReopened, ReplacementRequested


def _reserve(order_id: str, line: OrderLine, attempt: int, until: datetime) -> ReserveStock:
    return ReserveStock(
        sku=line.sku, order_id=order_id, line=line.line, quantity=line.quantity, attempt=attempt, expires_at=until
    )


def _from_keys(lines: tuple[OrderLine, ...]) -> list[OrderLine]:
    return [line for line in lines if line.source == "keys"]


def on_order_placed(event: OrderPlaced) -> list[Command]:
    return [_reserve(event.order_id, line, 1, event.reserved_until) for line in _from_keys(event.lines)]


def on_order_reopened(event: OrderReopened) -> list[Command]:
    return [_reserve(event.order_id, line, event.attempt, event.reserved_until) for line in _from_keys(event.lines)]


def on_order_cancelled(event: OrderCancelled) -> list[Command]:
    return [
        ReleaseStock(sku=line.sku, order_id=event.order_id, line=line.line, reason=event.reason)
        for line in _from_keys(event.lines)
    ]


def on_replacement_requested(event: ReplacementRequested) -> list[Command]:
    if event.line.source != "keys":
        return []
    return [
        FaultKey(sku=event.line.sku, order_id=event.order_id, number=event.number, reason=event.reason),
        _reserve(event.order_id, event.line, 1, event.reserved_until),
    ]


def on_keys_delivered(event: KeysDelivered) -> list[Command]:
    return [SettleStock(sku=event.sku, order_id=event.order_id, line=event.line)]


def on_delivery_failed(event: DeliveryFailed) -> list[Command]:
    faults = [
        FaultKey(sku=event.sku, order_id=event.order_id, number=number, reason=event.reason) for number in event.numbers
    ]
    return [*faults, ReleaseStock(sku=event.sku, order_id=event.order_id, line=event.line, reason=event.reason)]


def on_delivery_resolved(event: DeliveryResolved) -> list[Command]:
    """A person ended it: whatever was reserved for the line may have been handed out, so it is never sold again."""
    return [SettleStock(sku=event.sku, order_id=event.order_id, line=event.line)]


def _expiry(order_id: str, line: int) -> str:
    return f"expiry/{order_id}/{line}"


def plan_expiry(event: StockReserved, at: datetime) -> list[Plan]:
    command = ExpireReservation(sku=event.sku, order_id=event.order_id, line=event.line, attempt=event.attempt)
    return [Later(key=_expiry(event.order_id, event.line), command=command, at=event.expires_at)]


def drop_expiry(event: StockReleased | StockSettled, at: datetime) -> list[Plan]:
    return [Cancel(key=_expiry(event.order_id, event.line))]


REACTIONS: Mapping[type[Event], Reaction] = {
    OrderPlaced: on_order_placed,
    OrderReopened: on_order_reopened,
    OrderCancelled: on_order_cancelled,
    ReplacementRequested: on_replacement_requested,
    KeysDelivered: on_keys_delivered,
    DeliveryFailed: on_delivery_failed,
    DeliveryResolved: on_delivery_resolved,
}
PLANS: Mapping[type[Event], Planner] = {
    StockReserved: plan_expiry,
    StockReleased: drop_expiry,
    StockSettled: drop_expiry,
}
