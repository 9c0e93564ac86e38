"""Deliveries, from the fulfillment log alone. Envelopes stay sealed here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from services.gateway.resource_projection import OpenRows, ResourceProjection, folds, iso, metadata
from shared.contracts.fulfillment import (
    DeliveryFailed,
    DeliveryHandedOver,
    DeliveryRequested,
    DeliveryResolved,
    KeysDelivered,
    PurchaseFailed,
    PurchasePending,
    PurchaseRequested,
    SupplierDelivered,
)
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import Key, RowCache

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("delivery_id", sa.Text, nullable=False, unique=True),
    sa.Column("sku", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("how", sa.Text),
    sa.Column("quantity", sa.Integer),
    sa.Column("target", sa.Text),
    sa.Column("numbers", sa.JSON),
    sa.Column("envelope", sa.Text),
    sa.Column("supplier", sa.Text),
    sa.Column("supplier_ref", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("requested_at", sa.Text),
    sa.Column("handed_over_at", sa.Text),
    sa.Column("ended_at", sa.Text),
    sa.Index("deliveries_by_status", "status", "handed_over_at"),
)

HANDED_OVER = "handed-over"
LineEvent = (
    KeysDelivered
    | PurchaseRequested
    | PurchasePending
    | PurchaseFailed
    | SupplierDelivered
    | DeliveryHandedOver
    | DeliveryResolved
    | DeliveryFailed
)


class Deliveries(ResourceProjection):
    """One row for each line of an order. Its status is requested, purchasing, pending or handed-over, then delivered or
    failed."""

    def __init__(self, rows: OpenRows) -> None:
        self._deliveries = rows(deliveries, keep=2_000)

    def reads(self, event: Any) -> Iterator[tuple[RowCache, Key]]:
        line = event.line.line if isinstance(event, DeliveryRequested) else event.line
        yield self._deliveries, (event.order_id, line)

    def _set(self, event: LineEvent, **changes: object) -> None:
        row = self._deliveries.get(event.order_id, event.line) or {
            "order_id": event.order_id,
            "line": event.line,
            "delivery_id": event.delivery_id,
        }
        sku = getattr(event, "sku", None) or row.get("sku", "")
        self._deliveries.put({**row, "sku": sku, **changes})

    @folds(DeliveryRequested)
    def requested(self, event: DeliveryRequested, recorded: RecordedEvent) -> None:
        line = event.line
        row = self._deliveries.get(event.order_id, line.line) or {}
        self._deliveries.put(
            {
                **row,
                "order_id": event.order_id,
                "line": line.line,
                "delivery_id": event.delivery_id,
                "sku": line.sku,
                "status": "requested",
                "quantity": line.quantity,
                "target": line.target,
                "requested_at": iso(recorded.at),
            }
        )

    @folds(KeysDelivered)
    def keys_delivered(self, event: KeysDelivered, recorded: RecordedEvent) -> None:
        self._set(
            event,
            status="delivered",
            how="keys",
            numbers=list(event.numbers),
            envelope=event.envelope,
            reason=None,
            ended_at=iso(recorded.at),
        )

    @folds(PurchaseRequested)
    def purchase_requested(self, event: PurchaseRequested, recorded: RecordedEvent) -> None:
        self._set(event, status="purchasing", supplier=event.supplier, target=event.target, quantity=event.quantity)

    @folds(PurchasePending)
    def purchase_pending(self, event: PurchasePending, recorded: RecordedEvent) -> None:
        self._set(event, status="pending", supplier=event.supplier, supplier_ref=event.supplier_ref)

    @folds(PurchaseFailed)
    def purchase_failed(self, event: PurchaseFailed, recorded: RecordedEvent) -> None:
        self._set(event, status="purchasing", supplier=event.supplier, reason=event.reason)

    @folds(SupplierDelivered)
    def supplier_delivered(self, event: SupplierDelivered, recorded: RecordedEvent) -> None:
        self._set(
            event,
            status="delivered",
            how="supplier",
            supplier=event.supplier,
            supplier_ref=event.supplier_ref,
            **({"envelope": event.envelope} if event.envelope else {}),
            reason=None,
            ended_at=iso(recorded.at),
        )

    @folds(DeliveryHandedOver)
    def handed_over(self, event: DeliveryHandedOver, recorded: RecordedEvent) -> None:
        self._set(event, status=HANDED_OVER, reason=event.reason, handed_over_at=iso(recorded.at))

    @folds(DeliveryResolved)
    def resolved(self, event: DeliveryResolved, recorded: RecordedEvent) -> None:
        self._set(event, status="delivered", how="manual", reason=None, ended_at=iso(recorded.at))

    @folds(DeliveryFailed)
    def failed(self, event: DeliveryFailed, recorded: RecordedEvent) -> None:
        self._set(event, status="failed", reason=event.reason, ended_at=iso(recorded.at))
