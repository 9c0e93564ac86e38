"""An order from placed to completed or cancelled. It joins the answers of risk, inventory, ledger and fulfillment.

Money may cross a cancellation. The order answers every hold exactly once, and the ledger frees a hold only on an event
that says so: OrderCancelled with `paid`, LatePaymentDeclined, OrderCompleted. A cancellation without `paid` leaves a
hold alone. So the order of the two does not matter: an order that a late payment reopens still has its hold, and no
hold is left behind.

A late payment reopens an order for a bounded time, and only if its products are still sold for no more than was paid.
Else the money goes back.
"""

from __future__ import annotations

from datetime import datetime

from services.order.domain.facts import Market, TimeLimits
from services.order.domain.quote import unit_price
from services.order.domain.state import Order, evolve
from shared.contracts import DecisionContext, Event, Refused, replace
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
    OrderLine,
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
    StockPutBack,
    StockRequested,
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


def record_screening(command: RecordScreening, order: Order, given: DecisionContext) -> list[Event]:
    """Record the first decision; after `review`, the decision of a person.

    It is also recorded for an order that was cancelled as unpaid, because a late payment may reopen it.
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
    if command.decision == "pass" and after.stockless:
        return [recorded, _stock_requested(after, given)]
    if after.joined:
        return [recorded, *_confirmed(after, given)]
    events: list[Event] = [recorded.model_copy(update={"wait": _next_wait(order, after, given)})]
    if command.decision == "review" and not order.paid and (lines := _from_stock(order)):
        events.append(StockPutBack(order_id=order.order_id, lines=lines))
    return events


def record_reservation(command: RecordReservation, order: Order, given: DecisionContext) -> list[Event]:
    """Record inventory's answer about a line. Answers of an earlier attempt are ignored."""
    current = order.phase == "placed" and command.attempt == order.attempt and order.has_line(command.line)
    if not current or order.stockless or command.line in order.reserved:
        return []
    recorded = ReservationRecorded(
        order_id=order.order_id, line=command.line, attempt=command.attempt, reserved=command.reserved
    )
    if not command.reserved:
        return [recorded, _cancelled(order, "short-stock")]
    after = evolve(order, recorded)
    return [recorded, *_confirmed(after, given)] if after.joined else [recorded]


def record_reservation_expiry(command: RecordReservationExpiry, order: Order) -> list[Event]:
    current = order.phase == "placed" and command.attempt == order.attempt and order.has_line(command.line)
    return [_cancelled(order, "expired")] if current else []


def record_payment(command: RecordPayment, order: Order, given: DecisionContext) -> list[Event]:
    """Answer the ledger's hold, or its refusal, once. The module's text explains late payments."""
    if order.funds != "awaited":
        return []
    match order.phase, command.held:
        case "placed", True:
            return _paid(order, given)
        case "placed", False:
            return [_cancelled(order, "insufficient-funds", command.reason)]
        case "cancelled", True if order.cancelled_for == "unpaid" and order.screening != "block":
            market: Market = given.facts
            if reason := _no_longer_sold(order, market, given.now):
                return [_declined(order, reason)]
            return _reopened(order, replace(given, facts=market.time_limits))
        case "cancelled", True:
            return [_declined(order, f"the order was cancelled: {order.cancelled_for}")]
        case _:
            return []


def record_delivery(command: RecordDelivery, order: Order) -> list[Event]:
    """Record the first result of a line. The result of the last line completes the order.

    An order that is not confirmed gets a result only after its database was restored from a backup. It records the
    result, and completes when it is confirmed again.
    """
    may_end = order.phase in ("placed", "confirmed")
    if not may_end or not order.has_line(command.line) or command.line in order.deliveries:
        return []
    recorded = delivery_recorded(command)
    if order.phase == "placed":
        return [recorded]
    return [recorded, *_completed(evolve(order, recorded))]


def _completed(order: Order) -> list[OrderCompleted]:
    """The event that completes a confirmed order once each line has its result; nothing before."""
    if len(order.deliveries) < len(order.lines):
        return []
    delivered = order.sum(line.amount for line in order.lines if order.deliveries[line.line].delivered)
    completed = OrderCompleted(
        order_id=order.order_id,
        customer=order.customer,
        delivered=delivered,
        undelivered=order.total - delivered,
        agent=order.agent,
        email=order.email,
        locale=order.locale,
    )
    return [completed]


def delivery_recorded(command: RecordDelivery) -> DeliveryRecorded:
    return DeliveryRecorded(
        order_id=command.order_id,
        line=command.line,
        delivered=command.delivered,
        numbers=command.numbers,
        reason=command.reason,
    )


def meet_deadline(command: MeetDeadline, order: Order) -> list[Event]:
    """End the present wait. A deadline of an earlier wait changes nothing."""
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


def _paid(order: Order, given: DecisionContext) -> list[Event]:
    recorded = PaymentRecorded(order_id=order.order_id, amount=order.total)
    after = evolve(order, recorded)
    if after.joined:
        return [recorded, *_confirmed(after, given)]
    return [recorded.model_copy(update={"wait": _next_wait(order, after, given)})]


def _from_stock(order: Order) -> tuple[OrderLine, ...]:
    return tuple(line for line in order.lines if line.source == "keys")


def _stock_requested(order: Order, given: DecisionContext) -> StockRequested:
    """Request the stock that was put back, in a new attempt with a new wait."""
    time_limits: TimeLimits = given.facts
    requested = StockRequested(
        order_id=order.order_id,
        lines=_from_stock(order),
        attempt=order.attempt + 1,
        paid=order.paid,
        reserved_until=given.now + time_limits.reserve_for,
    )
    after = evolve(order, requested)
    return requested.model_copy(update={"wait": time_limits.wait(_awaited(after), after.attempt, given.now)})


def _no_longer_sold(order: Order, market: Market, now: datetime) -> str:
    """The reason why a late payment does not reopen an order: it is too late, or its price no longer holds. Empty if it
    does."""
    if order.pay_by is None or now > order.pay_by + market.time_limits.reopen_within:
        return "the payment came too late"
    for line in order.lines:
        listing = market.listings.get(line.sku)
        if listing is None or not listing.on_sale:
            return f"{line.sku} is not on sale any more"
        price = unit_price(listing, line.quantity)
        if price.currency != line.unit_price.currency or line.unit_price < price:
            return f"{line.sku} costs {price} now"
    return ""


def _declined(order: Order, reason: str) -> LatePaymentDeclined:
    return LatePaymentDeclined(
        order_id=order.order_id, amount=order.total, reason=reason, email=order.email, locale=order.locale
    )


def _reopened(order: Order, given: DecisionContext) -> list[Event]:
    time_limits: TimeLimits = given.facts
    recorded = PaymentRecorded(order_id=order.order_id, amount=order.total, late=True)
    reopened = OrderReopened(
        order_id=order.order_id,
        lines=order.lines,
        attempt=order.attempt + 1,
        reserved_until=given.now + time_limits.reserve_for,
        amount=order.total,
        email=order.email,
        locale=order.locale,
    )
    after = evolve(evolve(order, recorded), reopened)
    if after.joined:
        return [recorded, reopened, *_confirmed(after, given)]
    return [recorded, reopened.model_copy(update={"wait": _next_wait(order, after, given)})]


def _next_wait(before: Order, after: Order, given: DecisionContext) -> Wait | None:
    """The wait that begins now, None if the present one goes on."""
    time_limits: TimeLimits = given.facts
    step = _awaited(after)
    return None if step == before.step else time_limits.wait(step, after.attempt, given.now)


def _awaited(order: Order) -> Step:
    if not order.paid and order.payment != WALLET:
        return "payment"
    return "review" if order.screening == "review" else "answers"


def _confirmed(order: Order, given: DecisionContext) -> list[Event]:
    """Confirm the order. It completes at once if every line already has its result: see `record_delivery`."""
    time_limits: TimeLimits = given.facts
    confirmed = OrderConfirmed(
        order_id=order.order_id,
        customer=order.customer,
        lines=order.lines,
        attempt=order.attempt,
        buyer_key=order.buyer_key,
        wait=time_limits.wait("delivery", order.attempt, given.now),
    )
    return [confirmed, *_completed(order)]


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
        differs=bool(order.differing),
    )
