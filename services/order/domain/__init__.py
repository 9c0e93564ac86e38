"""The rules of orders. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from services.order.domain import after_sale, placing, repayments, saga
from services.order.domain.facts import Market, TimeLimits
from services.order.domain.quote import quote
from services.order.domain.state import Order, evolve
from shared.contracts import Command, Decided, DecisionContext, Event
from shared.contracts.order import (
    CancelOrder,
    DropRepayment,
    MeetDeadline,
    PlaceOrder,
    RecordDelivery,
    RecordDifferenceSettled,
    RecordOtherPayment,
    RecordPayment,
    RecordRefund,
    RecordRefundFailure,
    RecordReservation,
    RecordReservationExpiry,
    RecordScreening,
    RefundOrder,
    ReplaceKey,
)

__all__ = ["Market", "Order", "TimeLimits", "decide", "evolve", "quote"]


def decide(command: Command, order: Order, given: DecisionContext) -> Sequence[Event] | Decided:
    """Raises Refused only for commands of people, never for the answers of other services."""
    match command:
        case PlaceOrder():
            return placing.place(command, order, given)
        case CancelOrder():
            return saga.cancel(command, order)
        case RecordScreening():
            return saga.record_screening(command, order, given)
        case RecordReservation() if replacement := order.replacement(command.line):
            return after_sale.record_replacement_stock(command, order, replacement)
        case RecordReservation():
            return saga.record_reservation(command, order, given)
        case RecordReservationExpiry():
            return saga.record_reservation_expiry(command, order)
        case RecordPayment():
            return saga.record_payment(command, order, given)
        case RecordDelivery() if replacement := order.replacement(command.line):
            return after_sale.record_replacement_delivery(command, order, replacement)
        case RecordDelivery():
            return saga.record_delivery(command, order)
        case MeetDeadline():
            return saga.meet_deadline(command, order)
        case RefundOrder():
            return after_sale.refund(command, order)
        case RecordRefund():
            return after_sale.record_refund(command, order)
        case RecordRefundFailure():
            return after_sale.record_refund_failure(command, order)
        case DropRepayment():
            return repayments.ended(command, order)
        case RecordOtherPayment():
            return repayments.record_other_payment(command, order)
        case RecordDifferenceSettled():
            return repayments.record_difference_settled(command, order)
        case ReplaceKey():
            return after_sale.replace_key(command, order, given)
        case _:
            raise TypeError(f"an order does not decide {type(command).__name__}")
