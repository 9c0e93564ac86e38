"""Delivery through a supplier: one purchase at a time, and none elsewhere while one is unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.fulfillment.domain.routing import Health, in_order
from services.fulfillment.domain.state import Delivery
from shared.contracts import Event, Given, Refused
from shared.contracts.fulfillment import (
    DeliveryHandedOver,
    PurchaseFailed,
    PurchasePending,
    PurchaseRequested,
    RecordPurchase,
    RecordPurchaseUnknown,
    SupplierDelivered,
    purchase_request_id,
)
from shared.contracts.order import OrderLine

NOBODY_LEFT = "no supplier could deliver"


def next_step(delivery_id: str, order_id: str, line: OrderLine, asked: Sequence[str], given: Given) -> Event:
    """Ask the best supplier that was not asked yet, or a person when none is left."""
    health: Mapping[str, Health] = given.facts
    left = [supplier for supplier in line.suppliers if supplier not in asked]
    for supplier in in_order(left, health, given.now):
        return PurchaseRequested(
            delivery_id=delivery_id,
            order_id=order_id,
            line=line.line,
            sku=line.sku,
            supplier=supplier,
            request_id=purchase_request_id(delivery_id, supplier),
            quantity=line.quantity,
            target=line.target or "",
        )
    return DeliveryHandedOver(
        delivery_id=delivery_id, order_id=order_id, line=line.line, sku=line.sku, reason=NOBODY_LEFT
    )


def record(command: RecordPurchase, state: Delivery, given: Given) -> list[Event]:
    """What a supplier said. Raises Refused for a supplier that was never asked, or a report without its cost.

    Only the supplier whose purchase is open counts; what an earlier one repeats changes nothing.
    """
    line = state.line
    if line is None or command.supplier not in state.asked:
        raise Refused("wrong-supplier", "this supplier was not asked for this delivery", status=409)
    if command.supplier != state.supplier:
        return []
    match command.outcome:
        case "done":
            return [_done(command, state, line)]
        case "pending":
            return [] if state.pending or state.phase != "requested" else [_pending(command, state, line)]
        case "failed":
            return _failed(command, state, line, given)


def _done(command: RecordPurchase, state: Delivery, line: OrderLine) -> SupplierDelivered:
    if command.cost is None or command.cost.amount < 0:
        raise Refused("no-cost", "a purchase that is done must tell what it cost", status=422)
    return SupplierDelivered(
        delivery_id=command.delivery_id,
        order_id=state.order_id,
        line=line.line,
        sku=line.sku,
        supplier=command.supplier,
        supplier_ref=command.supplier_ref,
        cost=command.cost,
    )


def _pending(command: RecordPurchase, state: Delivery, line: OrderLine) -> PurchasePending:
    return PurchasePending(
        delivery_id=command.delivery_id,
        order_id=state.order_id,
        line=line.line,
        supplier=command.supplier,
        request_id=purchase_request_id(command.delivery_id, command.supplier),
        supplier_ref=command.supplier_ref,
    )


def _failed(command: RecordPurchase, state: Delivery, line: OrderLine, given: Given) -> list[Event]:
    failed = PurchaseFailed(
        delivery_id=command.delivery_id,
        order_id=state.order_id,
        line=line.line,
        supplier=command.supplier,
        reason=command.reason,
    )
    if state.phase == "handed-over":  # a person may have bought it by now
        return [failed]
    return [failed, next_step(command.delivery_id, state.order_id, line, state.asked, given)]


def record_unknown(command: RecordPurchaseUnknown, state: Delivery) -> list[Event]:
    """Nobody knows what became of the purchase: a person must find out, and nobody buys elsewhere."""
    if state.line is None or state.phase != "requested" or command.supplier != state.supplier:
        return []
    return [
        DeliveryHandedOver(
            delivery_id=command.delivery_id,
            order_id=state.order_id,
            line=state.line.line,
            sku=state.line.sku,
            reason=command.reason,
            supplier=command.supplier,
        )
    ]
