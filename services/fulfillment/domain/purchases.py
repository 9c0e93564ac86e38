"""Delivery through suppliers: one purchase at a time, and none elsewhere while the outcome of one is unknown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.fulfillment.domain import goods, statements
from services.fulfillment.domain.routing import Health, in_order
from services.fulfillment.domain.state import Delivery
from shared.contracts import Decided, DecisionContext, Event, zero
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
from shared.values import identities
from shared.values.identities import NoCanonicalForm

NOBODY_LEFT = "no supplier could deliver"


def next_step(delivery_id: str, order_id: str, line: OrderLine, asked: Sequence[str], given: DecisionContext) -> Event:
    """Buy from the best supplier that was not tried yet, or hand over to a person when none is left.

    A person decides as well if the target is invalid: orders of an earlier version may have a blank one.
    """
    try:
        target = identities.target(line.target) if line.target else ""
    except NoCanonicalForm as error:
        return DeliveryHandedOver(
            delivery_id=delivery_id, order_id=order_id, line=line.line, sku=line.sku, reason=f"the {error}"
        )
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
            target=target,
        )
    return DeliveryHandedOver(
        delivery_id=delivery_id, order_id=order_id, line=line.line, sku=line.sku, reason=NOBODY_LEFT
    )


def record(command: RecordPurchase, state: Delivery, given: DecisionContext) -> list[Event] | Decided:
    """Record a supplier's report. One about a purchase that was never ordered goes to `statements.unasked`.

    Only the supplier of the open purchase moves the delivery. A later report of another one is kept for a person, and
    so is a report with doubtful goods. Facts: the Resealed goods of a purchase that is done, if they are as many
    different keys as were sold, else a mapping of supplier to Health."""
    line = state.line
    if line is None or command.supplier not in state.asked:
        return statements.unasked(command, state)
    if command.supplier != state.supplier:
        return statements.late(command, state, line)
    match command.outcome:
        case "done":
            if reason := goods.doubt(command.goods, line, given.facts):
                return _held_back(command, state, line, reason)
            return _done(command, state, line, given.facts.envelope if command.goods else "")
        case "pending":
            return [] if state.pending or state.phase != "requested" else [_pending(command, state, line)]
        case "failed":
            return _failed(command, state, line, given)


def _done(command: RecordPurchase, state: Delivery, line: OrderLine, envelope: str) -> list[Event]:
    """Deliver the goods. A doubtful bill is not owed until a person confirms it."""
    cost = command.cost
    is_doubtful = cost is None or statements.is_doubtful(cost, line)
    delivered = SupplierDelivered(
        delivery_id=command.delivery_id,
        order_id=state.order_id,
        line=line.line,
        sku=line.sku,
        supplier=command.supplier,
        supplier_ref=command.supplier_ref,
        cost=zero(line.amount.currency) if cost is None or is_doubtful else cost,
        envelope=envelope,
        indexes=tuple(one.index for one in command.goods),
    )
    if not is_doubtful:
        return [delivered]
    bill = command.model_copy(update={"goods": ()})  # the buyer has them
    return [delivered, statements.record(bill, state, line, "doubtful-cost")]


def _held_back(command: RecordPurchase, state: Delivery, line: OrderLine, reason: str) -> list[Event]:
    """Hand the delivery over: a person reads the goods, asks the supplier, and delivers or gives the money back."""
    handed_over = DeliveryHandedOver(
        delivery_id=command.delivery_id, order_id=state.order_id, line=line.line, sku=line.sku, reason=reason
    )
    return [statements.done(command, state, line, doubt=reason), handed_over]


def _pending(command: RecordPurchase, state: Delivery, line: OrderLine) -> PurchasePending:
    return PurchasePending(
        delivery_id=command.delivery_id,
        order_id=state.order_id,
        line=line.line,
        supplier=command.supplier,
        request_id=purchase_request_id(command.delivery_id, command.supplier),
        supplier_ref=command.supplier_ref,
    )


def _failed(command: RecordPurchase, state: Delivery, line: OrderLine, given: DecisionContext) -> list[Event]:
    """Buy elsewhere. A charge of the failed purchase is left to a person."""
    failed: list[Event] = [_not_bought(command, state, line)]
    if statements.charges(command):
        failed.append(statements.record(command, state, line, "doubtful-cost"))
    if state.phase == "handed-over":  # a person may have bought it by now
        return failed
    return [*failed, next_step(command.delivery_id, state.order_id, line, state.asked, given)]


def _not_bought(command: RecordPurchase, state: Delivery, line: OrderLine) -> PurchaseFailed:
    return PurchaseFailed(
        delivery_id=command.delivery_id,
        order_id=state.order_id,
        line=line.line,
        supplier=command.supplier,
        reason=command.reason,
    )


def record_unknown(command: RecordPurchaseUnknown, state: Delivery) -> list[Event]:
    """Hand over a purchase whose outcome is unknown. Nothing is bought elsewhere until a person finds out."""
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
