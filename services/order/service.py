"""Declares the order service."""

from __future__ import annotations

from pathlib import Path

from services.order.adapters import Adapters, build
from services.order.domain import Market, Order, TimeLimits, decide, evolve
from services.order.metrics import COUNTERS
from services.order.projection import FOREIGN_EVENTS, OrderProjection
from services.order.reactions import PLANS, REACTIONS
from services.order.settings import OrderSettings
from shared.contracts import Command
from shared.contracts.order import (
    CancelOrder,
    DropRepayment,
    MeetDeadline,
    PlaceOrder,
    RecordDelivery,
    RecordDifferenceSettled,
    RecordOtherPayment,
    RecordPayment,
    RecordRefund,
    RecordRefundFailure,
    RecordReservation,
    RecordReservationExpiry,
    RecordScreening,
    RefundOrder,
    ReplaceKey,
)
from shared.runtime.service import Aggregate, Service


def find_market(command: PlaceOrder, order: Order, projection: OrderProjection, adapters: Adapters) -> Market:
    return Market(listings=projection.listings(wish.sku for wish in command.wishes), time_limits=adapters.time_limits)


def find_time_limits(command: Command, order: Order, projection: OrderProjection, adapters: Adapters) -> TimeLimits:
    return adapters.time_limits


def find_limits_or_market(
    command: RecordPayment, order: Order, projection: OrderProjection, adapters: Adapters
) -> TimeLimits | Market:
    """What a lapsed order would cost now; an order that is waited for is paid at its own price."""
    if order.phase != "cancelled":
        return adapters.time_limits
    return Market(listings=projection.listings(line.sku for line in order.lines), time_limits=adapters.time_limits)


SERVICE = Service(
    name="order",
    aggregates=(
        Aggregate(
            name="order",
            initial=Order,
            decide=decide,
            evolve=evolve,
            commands=(
                PlaceOrder,
                CancelOrder,
                RecordScreening,
                RecordReservation,
                RecordReservationExpiry,
                RecordPayment,
                RecordDelivery,
                RecordRefund,
                RecordRefundFailure,
                DropRepayment,
                RecordOtherPayment,
                RecordDifferenceSettled,
                MeetDeadline,
                RefundOrder,
                ReplaceKey,
            ),
            load_facts={
                PlaceOrder: find_market,
                RecordScreening: find_time_limits,
                RecordReservation: find_time_limits,
                RecordPayment: find_limits_or_market,
                ReplaceKey: find_time_limits,
            },
        ),
    ),
    projection=OrderProjection,
    reactions=REACTIONS,
    plans=PLANS,
    foreign_events=FOREIGN_EVENTS,
    adapters=build,
    counters=COUNTERS,
    settings=OrderSettings,
    migrations=Path(__file__).with_name("migrations"),
)
