"""Orders, from the order log alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.gateway.resource_projection import OpenRows, ResourceProjection, folds, iso, metadata
from shared.contracts import Money
from shared.contracts.order import (
    DeliveryOverdue,
    DeliveryRecorded,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderLine,
    OrderPlaced,
    OrderReopened,
    PaymentDifferenceSettled,
    PaymentDiffers,
    PaymentRecorded,
    RefundApproved,
    RefundFailed,
    RefundRecorded,
    RefundRetried,
    RepaymentDelayed,
    RepaymentEnded,
    ReplacementFailed,
    ReplacementRequested,
    ScreeningRecorded,
)
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import Key, RowCache

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("site", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("customer", sa.Text),
    sa.Column("agent", sa.Text),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("delivered", sa.BigInteger, nullable=False),
    sa.Column("refunded", sa.BigInteger, nullable=False),
    sa.Column("lines", sa.JSON, nullable=False),
    sa.Column("payment", sa.Text, nullable=False),
    sa.Column("sales_channel", sa.Text, nullable=False),
    sa.Column("channel_order_no", sa.Text),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("screening", sa.Text),
    sa.Column("overdue", sa.Boolean, nullable=False),
    sa.Column("cancel_reason", sa.Text),
    sa.Column("pay_by", sa.Text, nullable=False),
    sa.Column("placed_at", sa.Text, nullable=False),
    sa.Column("paid_at", sa.Text),
    sa.Column("confirmed_at", sa.Text),
    sa.Column("completed_at", sa.Text),
    sa.Column("cancelled_at", sa.Text),
    sa.Column("refund_requested_at", sa.Text),
    sa.Column("refunds", sa.JSON(none_as_null=True)),
    sa.Column("payment_problem", sa.Text),
    sa.Index("orders_by_time", "placed_at", "order_id"),
    sa.Index("orders_by_customer", "customer", "placed_at", "order_id"),
    sa.Index("orders_by_status", "status", "placed_at", "order_id"),
)

order_skus = sa.Table(
    "order_skus",
    metadata,
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, primary_key=True),
)


# The `payment_problem` of an order while a return of money failed that belongs to no refund.
RETURN_FAILED = "return-failed"
Refund = RefundApproved | RefundRetried | RefundFailed | RefundRecorded
# The status that an order shows, by the statuses of its refunds. The first that matches counts.
REFUND_STATUSES = (
    (frozenset({"failed"}), "refund-failed"),
    (frozenset({"pending"}), "refund-pending"),
    (frozenset({"refunded"}), "refunded"),
    (frozenset({"partly-refunded"}), "partly-refunded"),
)


def _line(line: OrderLine, **more: object) -> dict[str, Any]:
    """A line without its cost, which not everybody who sees the order may know."""
    return {**line.model_dump(mode="json", exclude={"costs_nothing"}), "status": "waiting", **more}


def new_order(
    lines: Sequence[OrderLine], total: Money, pay_by: datetime, placed_at: datetime, **named: str | None
) -> dict[str, Any]:
    """The row of an order that was just placed. `named` are its order_id, site, customer, agent, payment,
    sales_channel and channel_order_no."""
    return {
        **named,
        "status": "placed",
        "total": total.amount,
        "currency": total.currency,
        "delivered": 0,
        "refunded": 0,
        "lines": [_line(line) for line in lines],
        "attempt": 1,
        "overdue": False,
        "pay_by": iso(pay_by),
        "placed_at": iso(placed_at),
    }


class Orders(ResourceProjection):
    """One row for each order. Each of its `lines` has a status: waiting, delivered or failed."""

    def __init__(self, rows: OpenRows) -> None:
        self._orders, self._skus = rows(orders), rows(order_skus, keep=0)

    def reads(self, event: Any) -> Iterator[tuple[RowCache, Key]]:
        if not isinstance(event, OrderPlaced):
            yield self._orders, (event.order_id,)

    def _change(self, order_id: str, **changes: object) -> None:
        self._orders.update(order_id, **changes)

    def _lines(self, order_id: str) -> list[dict[str, Any]]:
        row = self._orders.get(order_id)
        return list(row["lines"]) if row else []

    @folds(OrderPlaced)
    def placed(self, event: OrderPlaced, recorded: RecordedEvent) -> None:
        self._orders.put(
            new_order(
                event.lines,
                event.total,
                event.pay_by,
                recorded.at,
                order_id=event.order_id,
                site=recorded.meta.site,
                customer=event.customer,
                agent=event.agent,
                payment=event.payment,
                sales_channel=event.sales_channel,
                channel_order_no=event.channel_order_no,
            )
        )
        for line in event.lines:
            self._skus.put({"sku": line.sku, "order_id": event.order_id})

    @folds(ScreeningRecorded)
    def screened(self, event: ScreeningRecorded, recorded: RecordedEvent) -> None:
        self._change(event.order_id, screening=event.decision)

    @folds(PaymentRecorded)
    def paid(self, event: PaymentRecorded, recorded: RecordedEvent) -> None:
        changes: dict[str, object] = {"paid_at": iso(recorded.at)}
        if not event.late:
            changes["status"] = "paid"
        self._change(event.order_id, **changes)

    @folds(OrderReopened)
    def reopened(self, event: OrderReopened, recorded: RecordedEvent) -> None:
        self._change(event.order_id, status="paid", attempt=event.attempt, cancel_reason=None, cancelled_at=None)

    @folds(OrderConfirmed)
    def confirmed(self, event: OrderConfirmed, recorded: RecordedEvent) -> None:
        at = iso(recorded.at)
        self._change(
            event.order_id,
            status="delivering",
            attempt=event.attempt,
            confirmed_at=at,
            cancel_reason=None,
            cancelled_at=None,
        )

    @folds(DeliveryRecorded)
    def delivered(self, event: DeliveryRecorded, recorded: RecordedEvent) -> None:
        outcome = {"status": "delivered" if event.delivered else "failed", "reason": event.reason}
        lines = [{**line, **outcome} if line["line"] == event.line else line for line in self._lines(event.order_id)]
        self._change(event.order_id, lines=lines)

    @folds(OrderCompleted)
    def completed(self, event: OrderCompleted, recorded: RecordedEvent) -> None:
        self._change(
            event.order_id,
            status="completed",
            delivered=event.delivered.amount,
            completed_at=iso(recorded.at),
            overdue=False,
        )

    @folds(OrderCancelled)
    def cancelled(self, event: OrderCancelled, recorded: RecordedEvent) -> None:
        self._change(event.order_id, status="cancelled", cancel_reason=event.reason, cancelled_at=iso(recorded.at))

    @folds(DeliveryOverdue)
    def overdue(self, event: DeliveryOverdue, recorded: RecordedEvent) -> None:
        self._change(event.order_id, overdue=True)

    @folds(PaymentDiffers)
    def payment_differs(self, event: PaymentDiffers, recorded: RecordedEvent) -> None:
        self._change(event.order_id, payment_problem=event.reason)

    @folds(PaymentDifferenceSettled)
    def difference_settled(self, event: PaymentDifferenceSettled, recorded: RecordedEvent) -> None:
        if not event.waiting:
            self._change(event.order_id, payment_problem=None)

    @folds(RepaymentDelayed)
    def repayment_delayed(self, event: RepaymentDelayed, recorded: RecordedEvent) -> None:
        self._change(event.order_id, payment_problem=RETURN_FAILED)

    @folds(RepaymentEnded)
    def repayment_ended(self, event: RepaymentEnded, recorded: RecordedEvent) -> None:
        if not event.waiting:
            self._change(event.order_id, payment_problem=None)

    @folds(RefundApproved, RefundRetried)
    def refund_pending(self, event: RefundApproved | RefundRetried, recorded: RecordedEvent) -> None:
        self._refund(event, "pending", event.amount.amount, refund_requested_at=iso(recorded.at))

    @folds(RefundFailed)
    def refund_failed(self, event: RefundFailed, recorded: RecordedEvent) -> None:
        self._refund(event, "failed", event.amount.amount)

    @folds(RefundRecorded)
    def refunded(self, event: RefundRecorded, recorded: RecordedEvent) -> None:
        done = "refunded" if event.full else "partly-refunded"
        self._refund(event, done, event.amount.amount, refunded=event.refunded.amount)

    def _refund(self, event: Refund, status: str, amount: int, **changes: object) -> None:
        """Set the status from the refunds: a failed refund is not hidden by one that succeeded."""
        row = self._orders.get(event.order_id)
        if row is None:
            raise KeyError(f"no order {event.order_id}")
        refunds = {**(row["refunds"] or {}), event.refund_id: {"amount": amount, "status": status}}
        statuses = {part["status"] for part in refunds.values()}
        order_status = next(status for having, status in REFUND_STATUSES if statuses & having)
        self._change(event.order_id, status=order_status, refunds=refunds, **changes)

    @folds(ReplacementRequested)
    def replacement_requested(self, event: ReplacementRequested, recorded: RecordedEvent) -> None:
        added = _line(event.line, replaces={"line": event.replaces, "number": event.number})
        self._change(event.order_id, lines=[*self._lines(event.order_id), added])

    @folds(ReplacementFailed)
    def replacement_failed(self, event: ReplacementFailed, recorded: RecordedEvent) -> None:
        failed = {"status": "failed", "reason": event.reason}
        lines = [{**line, **failed} if line["line"] == event.line else line for line in self._lines(event.order_id)]
        self._change(event.order_id, lines=lines)
