"""Money beside the order's price: payments of other amounts, and money that goes back without a refund."""

from __future__ import annotations

from services.order.domain.state import Order
from shared.contracts import Event
from shared.contracts.order import (
    DropRepayment,
    PaymentDifferenceSettled,
    PaymentDiffers,
    RecordDifferenceSettled,
    RecordOtherPayment,
    RecordRefund,
    RecordRefundFailure,
    RepaymentDelayed,
    RepaymentEnded,
)


def record_other_payment(command: RecordOtherPayment, order: Order) -> list[Event]:
    """Record a payment of another amount than the order's price. The order goes on as before; its buyer is notified."""
    if order.phase == "new" or command.item in order.differing:
        return []
    differs = PaymentDiffers(
        order_id=order.order_id,
        customer=order.customer,
        item=command.item,
        amount=command.amount,
        expected=command.expected,
        reason=command.reason,
        email=order.email,
        locale=order.locale,
    )
    return [differs]


def record_difference_settled(command: RecordDifferenceSettled, order: Order) -> list[Event]:
    """Record once what became of a payment that the buyer was notified of."""
    amount = order.differing.get(command.item)
    if amount is None:
        return []
    settled = PaymentDifferenceSettled(
        order_id=order.order_id,
        customer=order.customer,
        item=command.item,
        amount=amount,
        how=command.how,
        waiting=order.waiting_money - 1,
        email=order.email,
        locale=order.locale,
    )
    return [settled]


def delayed(command: RecordRefundFailure, order: Order) -> list[Event]:
    """Record that the channel did not pay money back: once for each return, however often it is tried."""
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
    """Record that delayed money is back, or that a person found another use for it."""
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
