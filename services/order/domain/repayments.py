"""Money that goes back without a refund: the rest of a hold, money that came late, and what fitted no payment."""

from __future__ import annotations

from services.order.domain.state import Order
from shared.contracts import Event
from shared.contracts.order import DropRepayment, RecordRefund, RecordRefundFailure, RepaymentDelayed, RepaymentEnded


def delayed(command: RecordRefundFailure, order: Order) -> list[Event]:
    """The channel did not pay it back: told once, however often it is tried."""
    if order.phase == "new" or command.amount is None or command.refund_id in order.delayed:
        return []
    event = RepaymentDelayed(
        order_id=order.order_id,
        customer=order.customer,
        return_id=command.refund_id,
        amount=command.amount,
        reason=command.reason,
        email=order.email,
        locale=order.locale,
    )
    return [event]


def ended(command: RecordRefund | DropRepayment, order: Order) -> list[Event]:
    """What was delayed is back after all, or a person found another use for it."""
    name = command.refund_id
    if name not in order.delayed:
        return []
    event = RepaymentEnded(
        order_id=order.order_id,
        customer=order.customer,
        return_id=name,
        amount=order.delayed[name],
        returned=isinstance(command, RecordRefund),
        waiting=order.waiting_money - 1,
        email=order.email,
        locale=order.locale,
    )
    return [event]
