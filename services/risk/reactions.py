"""Screens placed orders, counts paid ones for their targets, and closes and reopens cases with their orders. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from shared.contracts import Command, Event, Reaction, zero
from shared.contracts.order import OrderCancelled, OrderConfirmed, OrderPlaced, OrderReopened
from shared.contracts.risk import CloseCase, RecordPaidTargets, ReopenCase, ScreenOrder


def on_order_placed(event: OrderPlaced) -> list[Command]:
    targets = dict.fromkeys(line.target for line in event.lines if line.target)
    return [
        ScreenOrder(
            order_id=event.order_id,
            customer=event.customer,
            ip=event.ip,
            device=event.device,
            targets=tuple(targets),
            amount=event.total,
        )
    ]


def on_order_confirmed(event: OrderConfirmed) -> list[Command]:
    """Count the paid amount for the order's targets, whoever ordered."""
    lines = [line for line in event.lines if line.target]
    if not lines:
        return []
    amount = sum((line.amount for line in lines), zero(lines[0].amount.currency))
    targets = tuple(dict.fromkeys(line.target for line in lines if line.target))
    return [RecordPaidTargets(order_id=event.order_id, customer=event.customer, targets=targets, amount=amount)]


def on_order_cancelled(event: OrderCancelled) -> list[Command]:
    return [CloseCase(order_id=event.order_id)]


def on_order_reopened(event: OrderReopened) -> list[Command]:
    """Reopen the case: the order still needs a decision."""
    return [ReopenCase(order_id=event.order_id)]


REACTIONS: Mapping[type[Event], Reaction] = {
    OrderPlaced: on_order_placed,
    OrderConfirmed: on_order_confirmed,
    OrderCancelled: on_order_cancelled,
    OrderReopened: on_order_reopened,
}
