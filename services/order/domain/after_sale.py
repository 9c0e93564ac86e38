"""Refunds, and replacements of keys that did not work."""

from __future__ import annotations

from services.order.domain import repayments
from services.order.domain.facts import TimeLimits
from services.order.domain.saga import delivery_recorded
from services.order.domain.state import REPLACEMENT_REFUND, Key, Order, Replacement, evolve
from shared.contracts import Decided, DecisionContext, Event, Money, Refused, zero
from shared.contracts.order import (
    OrderLine,
    RecordDelivery,
    RecordRefund,
    RecordRefundFailure,
    RecordReservation,
    RefundApproved,
    RefundFailed,
    RefundOrder,
    RefundRecorded,
    RefundRetried,
    ReplaceKey,
    ReplacementConfirmed,
    ReplacementFailed,
    ReplacementRequested,
    ReservationRecorded,
)


def refund(command: RefundOrder, order: Order) -> Decided:
    """Answers {"refund_id", "amount" (minor units), "currency"}.

    A refund of all that is left retries all failed refunds. A refund of an amount that is no longer left retries the
    failed refund with that amount; a refund of a key the failed one of that key. Refuses `unknown-order`,
    `not-completed`, `refund-id-taken`, `wrong-amount`, `nothing-left`, `more-than-left`, and for a key `unknown-key`,
    `already-refunded`, `replacement-under-way`.
    """
    _require_completed(order, command.order_id)
    earlier = order.refunds.get(command.refund_id)
    if earlier and command.amount in (None, earlier.approved):
        return Decided([], _refund_answer(command.refund_id, earlier.approved))
    if earlier or command.refund_id.startswith(REPLACEMENT_REFUND):
        raise Refused("refund-id-taken", f"{command.refund_id} names another refund", refund_id=command.refund_id)
    if command.line is not None or command.number is not None:
        return _refund_key(command, order)
    left = order.refundable
    again = _retried(command, order)
    if again and (left.amount == 0 or command.amount is not None):
        return Decided(again, _refund_answer(again[0].refund_id, order.sum(retried.amount for retried in again)))
    if left.amount == 0:
        raise Refused("nothing-left", "everything that was delivered is already refunded or replaced")
    amount = left if command.amount is None else command.amount
    if amount.currency != left.currency or amount.amount <= 0:
        raise Refused("wrong-amount", f"a refund is a positive amount in {left.currency}", status=422)
    if left < amount:
        raise Refused("more-than-left", f"only {left} is left to refund", left=left.amount, currency=left.currency)
    approved = RefundApproved(
        order_id=order.order_id, refund_id=command.refund_id, amount=amount, reason=command.reason
    )
    return Decided([approved, *again], _refund_answer(command.refund_id, amount))


def _retried(command: RefundOrder, order: Order) -> list[RefundRetried]:
    """The failed refunds that this command retries."""
    failed = {name: refund.approved for name, refund in order.refunds.items() if refund.failed}
    if command.amount is not None:
        same = [name for name, approved in failed.items() if approved == command.amount]
        is_left = command.amount.currency == order.total.currency and command.amount <= order.refundable
        failed = {} if is_left else {name: failed[name] for name in same[:1]}
    return [_retry(command, name, approved) for name, approved in failed.items()]


def _retry(command: RefundOrder, refund_id: str, approved: Money) -> RefundRetried:
    return RefundRetried(order_id=command.order_id, refund_id=refund_id, amount=approved, reason=command.reason)


def record_refund_failure(command: RecordRefundFailure, order: Order) -> list[Event]:
    known = order.refunds.get(command.refund_id)
    if known is None:
        return repayments.delayed(command, order)
    if known.given_back is not None or known.failed:
        return []
    failed = RefundFailed(
        order_id=order.order_id,
        customer=order.customer,
        refund_id=command.refund_id,
        amount=known.approved,
        reason=command.reason,
        email=order.email,
        locale=order.locale,
    )
    return [failed]


def _refund_key(command: RefundOrder, order: Order) -> Decided:
    """Refund the price of one key, or the part of it that refunds by amount have left. For a key that was replaced, the
    buyer gives the replacement up."""
    line, number = command.line or 0, command.number or 0
    _delivered_key(order, line, number)
    key = order.sold_as(line, number)
    again = next(
        ((name, refund.approved) for name, refund in order.refunds.items() if refund.failed and refund.key == key), None
    )
    if again and command.amount in (None, again[1]):
        return Decided([_retry(command, *again)], _refund_answer(*again))
    _require_standing(order, key)
    if order.is_being_replaced(key):
        raise Refused("replacement-under-way", f"key {number} of line {line} is being replaced")
    price = order.lines[key[0] - 1].unit_price
    left = _left_of(order, key, price)
    if command.amount not in (None, price, left):
        raise Refused("wrong-amount", f"this key was sold for {price}", status=422)
    if left.amount == 0:
        raise Refused("nothing-left", "the price of this key is already refunded")
    if command.amount not in (None, left):
        raise Refused("more-than-left", f"only {left} is left to refund", left=left.amount, currency=left.currency)
    approved = RefundApproved(
        order_id=order.order_id,
        refund_id=command.refund_id,
        amount=left,
        reason=command.reason,
        line=line,
        number=number,
    )
    return Decided([approved], _refund_answer(command.refund_id, left))


def _left_of(order: Order, key: Key, price: Money) -> Money:
    """What can be refunded for a sold key: its price, unless refunds by amount have left less. The price of a key that
    was replaced is reserved for its replacement."""
    return price if order.is_replaced(key) else min(price, order.refundable)


def record_refund(command: RecordRefund, order: Order) -> list[Event]:
    known = order.refunds.get(command.refund_id)
    if known is None:
        return repayments.ended(command, order)
    if known.given_back is not None:
        return []
    given_back = [refund for refund in order.refunds.values() if refund.given_back is not None]
    refunded = order.sum(refund.given_back for refund in given_back if refund.given_back) + command.amount
    recorded = RefundRecorded(
        order_id=order.order_id,
        customer=order.customer,
        refund_id=command.refund_id,
        amount=command.amount,
        refunded=refunded,
        full=order.sum(refund.approved for refund in given_back) + known.approved == order.delivered,
        email=order.email,
        locale=order.locale,
    )
    return [recorded]


def replace_key(command: ReplaceKey, order: Order, given: DecisionContext) -> Decided:
    """Answers {"line"}, the line that was added.

    Refuses `unknown-order`, `not-completed`, `unknown-key`, `already-replaced`, `already-refunded`, and `nothing-left`
    if so much is refunded or replaced that no paid money is left for this key.
    """
    _require_completed(order, command.order_id)
    line = _delivered_key(order, command.line, command.number)
    if any((known.replaces, known.number) == (command.line, command.number) for known in order.replacements):
        raise Refused("already-replaced", f"key {command.number} of line {command.line} was already replaced")
    key = order.sold_as(command.line, command.number)
    _require_standing(order, key)
    if not order.is_replaced(key) and order.refundable < order.lines[key[0] - 1].unit_price:
        raise Refused("nothing-left", "the price of this key is already refunded")
    time_limits: TimeLimits = given.facts
    free = zero(order.total.currency)
    number = len(order.lines) + len(order.replacements) + 1
    requested = ReplacementRequested(
        order_id=order.order_id,
        line=line.model_copy(update={"line": number, "quantity": 1, "unit_price": free, "amount": free}),
        replaces=command.line,
        number=command.number,
        reason=command.reason,
        reserved_until=given.now + time_limits.reserve_for,
    )
    return Decided([requested], {"line": number})


def record_replacement_stock(command: RecordReservation, order: Order, replacement: Replacement) -> list[Event]:
    """Confirm a replacement when its key is reserved. Without a key, refund its price."""
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
    after, key = evolve(order, failed), order.sold_as(replacement.replaces, replacement.number)
    amount = _left_of(after, key, replacement.price)
    if amount.amount == 0 or key in order.refunded_keys:
        return [failed]
    refund = RefundApproved(
        order_id=order.order_id,
        refund_id=f"{REPLACEMENT_REFUND}{line}",
        amount=amount,
        reason=reason,
        line=replacement.replaces,
        number=replacement.number,
    )
    return [failed, refund]


def _delivered_key(order: Order, line: int, number: int) -> OrderLine:
    """The line that delivered this key. Raises Refused."""
    known, delivery = _keys_line(order, line), order.deliveries.get(line)
    if known is None or delivery is None or not delivery.delivered or number not in delivery.numbers:
        raise Refused("unknown-key", f"line {line} did not deliver key {number}", status=404)
    return known


def _require_standing(order: Order, key: Key) -> None:
    if key in order.refunded_keys:
        raise Refused("already-refunded", "the price of this key was given back")


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
