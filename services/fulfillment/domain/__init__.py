"""The rules of fulfillment. The aggregate is the delivery of one order line. Pure."""

from __future__ import annotations

from services.fulfillment.domain import goods, keys, purchases, statements
from services.fulfillment.domain.state import Delivery, evolve
from shared.contracts import Command, Decided, DecisionContext, Event, Refused
from shared.contracts.fulfillment import (
    DeliverLine,
    DeliveryFailed,
    DeliveryHandedOver,
    DeliveryRequested,
    DeliveryResolved,
    OpenGoods,
    OpenReport,
    RecordPurchase,
    RecordPurchaseUnknown,
    ResolveDelivery,
    SettleStatement,
    TakeKeys,
    WinClaim,
)

__all__ = ["Delivery", "decide", "evolve"]

BY_HAND = "delivered by hand"


def decide(command: Command, state: Delivery, given: DecisionContext) -> list[Event] | Decided:
    """The events of a delivery. Raises Refused for what people may not do. A supplier's statement is never refused; a
    part of the answer says what became of it.

    Facts: for keys Opened or None, for goods Resealed or None, and a mapping of supplier to Health where the command
    may choose a supplier.
    """
    match command:
        case TakeKeys():
            return keys.take(command, state, given.facts)
        case DeliverLine():
            return _deliver(command, state, given)
        case RecordPurchase():
            return purchases.record(command, state, given)
        case RecordPurchaseUnknown():
            return purchases.record_unknown(command, state)
        case ResolveDelivery():
            return _resolve(command, state)
        case SettleStatement():
            return statements.settle(command, state)
        case WinClaim():
            return statements.win(command, state)
        case OpenGoods():
            return goods.show(command, state, given.facts)
        case OpenReport():
            return goods.show_report(command, state, given.facts)
        case _:
            raise TypeError(f"a delivery does not decide {type(command).__name__}")


def _deliver(command: DeliverLine, state: Delivery, given: DecisionContext) -> list[Event]:
    if state.phase != "expected":
        return []
    requested = DeliveryRequested(
        delivery_id=command.delivery_id,
        order_id=command.order_id,
        line=command.line,
        attempt=command.attempt,
        buyer_key=command.buyer_key,
    )
    match command.line.source:
        case "keys":
            return keys.deliver(command, state, requested, given.facts)
        case "supplier":
            return [requested, purchases.next_step(command.delivery_id, command.order_id, command.line, (), given)]
        case "manual":
            return [
                requested,
                DeliveryHandedOver(
                    delivery_id=command.delivery_id,
                    order_id=command.order_id,
                    line=command.line.line,
                    sku=command.line.sku,
                    reason=BY_HAND,
                ),
            ]


def _resolve(command: ResolveDelivery, state: Delivery) -> list[Event]:
    if state.line is None:
        raise Refused("unknown-delivery", "there is no such delivery", status=404)
    if state.phase == "ended":
        raise Refused("already-ended", "this delivery has already ended", status=409)
    if state.phase != "handed-over":
        raise Refused("not-handed-over", "this delivery is still under way without people", status=409)
    line = {
        "delivery_id": command.delivery_id,
        "order_id": state.order_id,
        "line": state.line.line,
        "sku": state.line.sku,
    }
    if command.delivered:
        return [DeliveryResolved(**line, note=command.note)]
    return [DeliveryFailed(**line, reason=command.note, numbers=state.doubtful)]
