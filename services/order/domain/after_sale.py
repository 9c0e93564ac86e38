"""Refunds, and replacements of keys that did not work."""

from __future__ import annotations

from services.order.domain.facts import Limits
from services.order.domain.saga import delivery_recorded
from services.order.domain.state import Order, Replacement
from shared.contracts import Decided, Event, Given, Money, Refused, zero
from shared.contracts.order import (
    OrderLine,
    RecordDelivery,
    RecordRefund,
    RecordReservation,
    RefundApproved,
    RefundOrder,
    RefundRecorded,
    ReplaceKey,
    ReplacementConfirmed,
    ReplacementFailed,
    ReplacementRequested,
    ReservationRecorded,
)

REPLACEMENT_REFUND = "replacement/"


def refund(command: RefundOrder, order: Order) -> Decided:
    """Answers {"refund_id", "amount" (minor units), "currency"}.

    Refuses `unknown-order`, `not-completed`, `refund-id-taken`, `wrong-amount`, `nothing-left`, `more-than-left`.
    """
    _require_completed(order, command.order_id)
    earlier = order.refunds.get(command.refund_id)
    if earlier and command.amount in (None, earlier.approved):
        return Decided([], _refund_answer(command.refund_id, earlier.approved))
    if earlier or command.refund_id.startswith(REPLACEMENT_REFUND):
        raise Refused("refund-id-taken", f"{command.refund_id} names another refund", refund_id=command.refund_id)
    left = order.refundable
    if left.amount == 0:
        raise Refused("nothing-left", "all that was delivered is refunded already")
    amount = left if command.amount is None else command.amount
    if amount.currency != left.currency or amount.amount <= 0:
        raise Refused("wrong-amount", f"a refund is a positive amount in {left.currency}", status=422)
    if left < amount:
        raise Refused("more-than-left", f"only {left} is left to refund", left=left.amount, currency=left.currency)
    approved = RefundApproved(
        order_id=order.order_id, refund_id=command.refund_id, amount=amount, reason=command.reason
    )
    return Decided([approved], _refund_answer(command.refund_id, amount))


def record_refund(command: RecordRefund, order: Order) -> list[Event]:
    known = order.refunds.get(command.refund_id)
    if known is None or known.given_back is not None:
        return []
    refunded = order.sum(refund.given_back for refund in order.refunds.values() if refund.given_back) + command.amount
    recorded = RefundRecorded(
        order_id=order.order_id,
        customer=order.customer,
        refund_id=command.refund_id,
        amount=command.amount,
        refunded=refunded,
        full=refunded == order.delivered,
        email=order.email,
        locale=order.locale,
    )
    return [recorded]


def replace_key(command: ReplaceKey, order: Order, given: Given) -> Decided:
    """Answers {"line"}, the line that was added.

    Refuses `unknown-order`, `not-completed`, `unknown-key`, `already-replaced`, `nothing-left` (all is refunded).
    """
    _require_completed(order, command.order_id)
    line = _keys_line(order, command.line)
    delivery = order.deliveries.get(command.line)
    if line is None or delivery is None or not delivery.delivered or command.number not in delivery.numbers:
        raise Refused("unknown-key", f"line {command.line} did not deliver key {command.number}", status=404)
    if any((known.replaces, known.number) == (command.line, command.number) for known in order.replacements):
        raise Refused("already-replaced", f"key {command.number} of line {command.line} was replaced already")
    if order.refundable.amount == 0:
        raise Refused("nothing-left", "all that was delivered is refunded already")
    limits: Limits = given.facts
    free = zero(order.total.currency)
    number = len(order.lines) + len(order.replacements) + 1
    requested = ReplacementRequested(
        order_id=order.order_id,
        line=line.model_copy(update={"line": number, "quantity": 1, "unit_price": free, "amount": free}),
        replaces=command.line,
        number=command.number,
        reason=command.reason,
        reserved_until=given.now + limits.reserve_for,
    )
    return Decided([requested], {"line": number})


def record_replacement_stock(command: RecordReservation, order: Order, replacement: Replacement) -> list[Event]:
    """A replacement is confirmed with its key, or its price is given back when there is none."""
    if replacement.stage != "requested":
        return []
    recorded = ReservationRecorded(
        order_id=order.order_id, line=command.line, attempt=command.attempt, reserved=command.reserved
    )
    if not command.reserved:
        return [recorded, *_failed(order, replacement, "no key was left")]
    confirmed = ReplacementConfirmed(
        order_id=order.order_id, customer=order.customer, line=replacement.line, buyer_key=order.buyer_key
    )
    return [recorded, confirmed]


def record_replacement_delivery(command: RecordDelivery, order: Order, replacement: Replacement) -> list[Event]:
    if replacement.stage != "confirmed" or command.line in order.deliveries:
        return []
    recorded = delivery_recorded(command)
    return [recorded] if command.delivered else [recorded, *_failed(order, replacement, command.reason)]


def _failed(order: Order, replacement: Replacement, reason: str) -> list[Event]:
    line = replacement.line.line
    failed = ReplacementFailed(order_id=order.order_id, line=line, reason=reason)
    amount = min(replacement.price, order.refundable)
    if amount.amount == 0:
        return [failed]
    refund_id = f"{REPLACEMENT_REFUND}{line}"
    return [failed, RefundApproved(order_id=order.order_id, refund_id=refund_id, amount=amount, reason=reason)]


def _keys_line(order: Order, number: int) -> OrderLine | None:
    if replacement := order.replacement(number):
        return replacement.line
    line = order.lines[number - 1] if order.has_line(number) else None
    return line if line and line.source == "keys" else None


def _require_completed(order: Order, order_id: str) -> None:
    if order.phase == "new":
        raise Refused("unknown-order", f"there is no order {order_id}", status=404)
    if order.phase != "completed":
        raise Refused("not-completed", "only a completed order can be refunded or replaced", phase=order.phase)


def _refund_answer(refund_id: str, amount: Money) -> dict[str, str | int]:
    return {"refund_id": refund_id, "amount": amount.amount, "currency": amount.currency}
