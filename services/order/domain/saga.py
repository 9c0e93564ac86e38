"""From placed to completed or cancelled: the answers of risk, inventory, ledger and fulfillment are joined here.

Money that crosses a cancellation: the order answers every hold it hears of exactly once, and the ledger frees a hold
only on an event that says so (OrderCancelled with `paid`, LatePaymentDeclined, OrderCompleted). A cancellation that has
not seen a hold leaves it alone. So it does not matter which of the two comes first: an order reopened by a late payment
still has its hold, and no hold is left behind.
"""

from __future__ import annotations

from services.order.domain.facts import Limits
from services.order.domain.state import Order, evolve
from shared.contracts import Event, Given, Refused
from shared.contracts.order import (
    WALLET,
    CancelOrder,
    CancelReason,
    DeliveryOverdue,
    DeliveryRecorded,
    LatePaymentDeclined,
    MeetDeadline,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderReopened,
    PaymentRecorded,
    RecordDelivery,
    RecordPayment,
    RecordReservation,
    RecordReservationExpiry,
    RecordScreening,
    ReservationRecorded,
    ScreeningRecorded,
    Step,
    Wait,
)


def cancel(command: CancelOrder, order: Order) -> list[Event]:
    """Refuses `unknown-order`, and `too-late` once the order is confirmed."""
    match order.phase:
        case "new":
            raise Refused("unknown-order", f"there is no order {command.order_id}", status=404)
        case "placed":
            return [_cancelled(order, command.by, command.note)]
        case "cancelled":
            return []
        case _:
            raise Refused("too-late", "the order is confirmed; it can only be refunded", phase=order.phase)


def record_screening(command: RecordScreening, order: Order, given: Given) -> list[Event]:
    """The first decision counts; after `review` a person's.

    It is noted for an order cancelled as unpaid too, which a late payment may reopen.
    """
    reopenable = order.phase == "cancelled" and order.cancelled_for == "unpaid"
    undecided = order.screening is None or (order.screening == "review" and command.decision != "review")
    if not undecided or not (order.phase == "placed" or reopenable):
        return []
    recorded = ScreeningRecorded(order_id=order.order_id, decision=command.decision, reasons=command.reasons)
    if reopenable:
        return [recorded]
    if command.decision == "block":
        return [recorded, _cancelled(order, "blocked")]
    after = evolve(order, recorded)
    if after.joined:
        return [recorded, _confirmed(after, given)]
    return [recorded.model_copy(update={"wait": _next_wait(order, after, given)})]


def record_reservation(command: RecordReservation, order: Order, given: Given) -> list[Event]:
    """Answers of an earlier attempt are ignored."""
    current = order.phase == "placed" and command.attempt == order.attempt and order.has_line(command.line)
    if not current or command.line in order.reserved:
        return []
    recorded = ReservationRecorded(
        order_id=order.order_id, line=command.line, attempt=command.attempt, reserved=command.reserved
    )
    if not command.reserved:
        return [recorded, _cancelled(order, "short-stock")]
    after = evolve(order, recorded)
    return [recorded, _confirmed(after, given)] if after.joined else [recorded]


def record_reservation_expiry(command: RecordReservationExpiry, order: Order) -> list[Event]:
    current = order.phase == "placed" and command.attempt == order.attempt and order.has_line(command.line)
    return [_cancelled(order, "expired")] if current else []


def record_payment(command: RecordPayment, order: Order, given: Given) -> list[Event]:
    """One answer to the ledger's one answer; see the module's text for money that comes late."""
    if order.funds != "awaited":
        return []
    match order.phase, command.held:
        case "placed", True:
            return _paid(order, given)
        case "placed", False:
            return [_cancelled(order, "insufficient-funds", command.reason)]
        case "cancelled", True if order.cancelled_for == "unpaid" and order.screening != "block":
            return _reopened(order, given)
        case "cancelled", True:
            return [LatePaymentDeclined(order_id=order.order_id, amount=order.total)]
        case _:
            return []


def record_delivery(command: RecordDelivery, order: Order) -> list[Event]:
    """The first result of a line counts; the last line's completes the order."""
    if order.phase != "confirmed" or not order.has_line(command.line) or command.line in order.deliveries:
        return []
    recorded = delivery_recorded(command)
    after = evolve(order, recorded)
    if len(after.deliveries) < len(after.lines):
        return [recorded]
    delivered = order.sum(line.amount for line in after.lines if after.deliveries[line.line].delivered)
    completed = OrderCompleted(
        order_id=order.order_id,
        customer=order.customer,
        delivered=delivered,
        undelivered=order.total - delivered,
        agent=order.agent,
        email=order.email,
        locale=order.locale,
    )
    return [recorded, completed]


def delivery_recorded(command: RecordDelivery) -> DeliveryRecorded:
    return DeliveryRecorded(
        order_id=command.order_id,
        line=command.line,
        delivered=command.delivered,
        numbers=command.numbers,
        reason=command.reason,
    )


def meet_deadline(command: MeetDeadline, order: Order) -> list[Event]:
    """Only the wait that is still going on can run out."""
    if (command.step, command.attempt) != (order.step, order.attempt):
        return []
    match command.step:
        case "payment":
            return [_cancelled(order, "unpaid")]
        case "answers" | "review":
            return [_cancelled(order, "no-answer")]
        case "delivery":
            missing = tuple(line.line for line in order.lines if line.line not in order.deliveries)
            return [DeliveryOverdue(order_id=order.order_id, lines=missing)]


def _paid(order: Order, given: Given) -> list[Event]:
    recorded = PaymentRecorded(order_id=order.order_id, amount=order.total)
    after = evolve(order, recorded)
    if after.joined:
        return [recorded, _confirmed(after, given)]
    return [recorded.model_copy(update={"wait": _next_wait(order, after, given)})]


def _reopened(order: Order, given: Given) -> list[Event]:
    limits: Limits = given.facts
    recorded = PaymentRecorded(order_id=order.order_id, amount=order.total, late=True)
    reopened = OrderReopened(
        order_id=order.order_id,
        lines=order.lines,
        attempt=order.attempt + 1,
        reserved_until=given.now + limits.reserve_for,
    )
    after = evolve(evolve(order, recorded), reopened)
    if after.joined:
        return [recorded, reopened, _confirmed(after, given)]
    return [recorded, reopened.model_copy(update={"wait": _next_wait(order, after, given)})]


def _next_wait(before: Order, after: Order, given: Given) -> Wait | None:
    """The wait that begins now, None when the one before goes on."""
    limits: Limits = given.facts
    step = _awaited(after)
    return None if step == before.step else limits.wait(step, after.attempt, given.now)


def _awaited(order: Order) -> Step:
    if not order.paid and order.payment != WALLET:
        return "payment"
    return "review" if order.screening == "review" else "answers"


def _confirmed(order: Order, given: Given) -> OrderConfirmed:
    limits: Limits = given.facts
    return OrderConfirmed(
        order_id=order.order_id,
        customer=order.customer,
        lines=order.lines,
        attempt=order.attempt,
        buyer_key=order.buyer_key,
        wait=limits.wait("delivery", order.attempt, given.now),
    )


def _cancelled(order: Order, reason: CancelReason, note: str = "") -> OrderCancelled:
    return OrderCancelled(
        order_id=order.order_id,
        customer=order.customer,
        reason=reason,
        note=note,
        paid=order.paid,
        lines=order.lines,
        email=order.email,
        locale=order.locale,
    )
