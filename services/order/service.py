"""The order service: one aggregate, led by the answers of the others."""

from __future__ import annotations

from pathlib import Path

from services.order.adapters import Outside, build
from services.order.domain import Limits, Market, Order, decide, evolve
from services.order.metrics import COUNTERS
from services.order.reactions import PLANS, REACTIONS
from services.order.settings import OrderSettings
from services.order.tables import PROJECTED, OrderTables
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


def _market(command: PlaceOrder, order: Order, tables: OrderTables, outside: Outside) -> Market:
    return Market(offers=tables.listings(wish.sku for wish in command.wishes), limits=outside.limits)


def _limits(command: Command, order: Order, tables: OrderTables, outside: Outside) -> Limits:
    return outside.limits


def _late_market(command: RecordPayment, order: Order, tables: OrderTables, outside: Outside) -> Limits | Market:
    """What a lapsed order would cost now; an order that is waited for is paid at its own price."""
    if order.phase != "cancelled":
        return outside.limits
    return Market(offers=tables.listings(line.sku for line in order.lines), limits=outside.limits)


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
            look={
                PlaceOrder: _market,
                RecordScreening: _limits,
                RecordReservation: _limits,
                RecordPayment: _late_market,
                ReplaceKey: _limits,
            },
        ),
    ),
    tables=OrderTables,
    reactions=REACTIONS,
    plans=PLANS,
    projects=PROJECTED,
    outside=build,
    counters=COUNTERS,
    settings=OrderSettings,
    migrations=Path(__file__).with_name("migrations"),
)
