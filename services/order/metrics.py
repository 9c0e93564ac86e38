"""Prometheus metrics of orders."""

from __future__ import annotations

from typing import get_args

from shared.contracts.order import (
    CancelReason,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderPlaced,
    OrderReopened,
    PaymentRecorded,
    RefundRecorded,
)
from shared.telemetry.event_counters import Counters, Duration, always
from shared.telemetry.metric import Section

SALE = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 21_600, 86_400)
HAPPENED = Section("Business: events")
ORDER_STEPS = HAPPENED.metric(
    "order_steps_total",
    "counter",
    "orders",
    "step",
    "Orders that reached a step: placed, paid, confirmed, reopened, completed, cancelled, refunded (each refund).",
)
ORDERS_CANCELLED = HAPPENED.metric(
    "orders_cancelled_total", "counter", "orders", "reason", "Orders cancelled, by reason."
)
PAID_ORDER_SECONDS = HAPPENED.metric(
    "paid_order_seconds",
    "histogram",
    "seconds",
    "outcome",
    "From an order's payment to its end: delivered in full, short (money was given back), or cancelled.",
    SALE,
)

STEPS = ("placed", "paid", "confirmed", "reopened", "completed", "cancelled", "refunded")


def _outcome(event: object) -> str | None:
    match event:
        case OrderCompleted(undelivered=undelivered):
            return "short" if undelivered.amount else "delivered"
        case OrderCancelled(paid=True):
            return "cancelled"
        case _:
            return None


COUNTERS = Counters(
    by_event={
        OrderPlaced: always(ORDER_STEPS, "placed"),
        PaymentRecorded: always(ORDER_STEPS, "paid"),
        OrderConfirmed: always(ORDER_STEPS, "confirmed"),
        OrderReopened: always(ORDER_STEPS, "reopened"),
        OrderCompleted: always(ORDER_STEPS, "completed"),
        OrderCancelled: lambda e: ((ORDER_STEPS, ("cancelled",), 1), (ORDERS_CANCELLED, (e.reason,), 1)),
        RefundRecorded: always(ORDER_STEPS, "refunded"),
    },
    zeros={
        ORDER_STEPS: [(step,) for step in STEPS],
        ORDERS_CANCELLED: [(reason,) for reason in get_args(CancelReason)],
    },
    duration=Duration(PAID_ORDER_SECONDS, PaymentRecorded, _outcome, ("delivered", "short", "cancelled")),
)
