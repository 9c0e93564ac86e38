"""An order's reactions to other services' events, and its deadlines. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from shared.contracts import Cancel, Event, Plan, Planner, Reaction, ScheduleCommand
from shared.contracts.fulfillment import DeliveryFailed, DeliveryResolved, KeysDelivered, SupplierDelivered
from shared.contracts.inventory import ReservationExpired, StockReserved, StockShort
from shared.contracts.ledger import (
    UNTOLD,
    FundsHeld,
    FundsRefunded,
    HoldRefused,
    PaymentReturned,
    PaymentUnmatched,
    ReturnedByHand,
    ReturnFailed,
    UnmatchedSettled,
)
from shared.contracts.order import (
    DifferenceEnd,
    DropRepayment,
    MeetDeadline,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderPlaced,
    OrderReopened,
    PaymentRecorded,
    RecordDelivery,
    RecordDifferenceSettled,
    RecordOtherPayment,
    RecordPayment,
    RecordRefund,
    RecordRefundFailure,
    RecordReservation,
    RecordReservationExpiry,
    RecordScreening,
    ScreeningRecorded,
    StockRequested,
)
from shared.contracts.risk import CaseDecided, OrderScreened

# An account with this prefix holds money that was paid for one order through a channel.
ORDER_ACCOUNT = "order:"
# The return of unmatched money has this prefix before its item.
UNMATCHED = "unmatched:"


def on_order_screened(event: OrderScreened) -> list[RecordScreening]:
    return [RecordScreening(order_id=event.order_id, decision=event.decision, reasons=event.reasons)]


def on_case_decided(event: CaseDecided) -> list[RecordScreening]:
    reasons = (event.note,) if event.note else ()
    return [RecordScreening(order_id=event.order_id, decision=event.decision, reasons=reasons)]


def on_stock_reserved(event: StockReserved) -> list[RecordReservation]:
    numbers = tuple(key.number for key in event.keys)
    return [
        RecordReservation(
            order_id=event.order_id, line=event.line, attempt=event.attempt, reserved=True, numbers=numbers
        )
    ]


def on_stock_short(event: StockShort) -> list[RecordReservation]:
    return [RecordReservation(order_id=event.order_id, line=event.line, attempt=event.attempt, reserved=False)]


def on_reservation_expired(event: ReservationExpired) -> list[RecordReservationExpiry]:
    return [RecordReservationExpiry(order_id=event.order_id, line=event.line, attempt=event.attempt)]


def on_funds_held(event: FundsHeld) -> list[RecordPayment]:
    return [RecordPayment(order_id=event.order_id, held=True)]


def on_hold_refused(event: HoldRefused) -> list[RecordPayment]:
    return [RecordPayment(order_id=event.order_id, held=False, reason=f"{event.available} is available")]


def on_keys_delivered(event: KeysDelivered) -> list[RecordDelivery]:
    return [RecordDelivery(order_id=event.order_id, line=event.line, delivered=True, numbers=event.numbers)]


def on_delivered(event: SupplierDelivered | DeliveryResolved) -> list[RecordDelivery]:
    return [RecordDelivery(order_id=event.order_id, line=event.line, delivered=True)]


def on_delivery_failed(event: DeliveryFailed) -> list[RecordDelivery]:
    return [RecordDelivery(order_id=event.order_id, line=event.line, delivered=False, reason=event.reason)]


def on_funds_refunded(event: FundsRefunded) -> list[RecordRefund]:
    """A refund to a wallet is done at once. A refund through a channel is done when the channel or a person has paid
    it."""
    if event.account.startswith(ORDER_ACCOUNT):
        return []
    return [RecordRefund(order_id=event.order_id, refund_id=event.refund_id, amount=event.amount)]


def on_returned(event: PaymentReturned | ReturnedByHand) -> list[RecordRefund]:
    return [RecordRefund(order_id=event.payment_id, refund_id=event.return_id, amount=event.amount)]


def on_return_failed(event: ReturnFailed) -> list[RecordRefundFailure]:
    failure = RecordRefundFailure(
        order_id=event.payment_id, refund_id=event.return_id, reason=event.reason, amount=event.amount
    )
    return [failure]


def on_unmatched_settled(event: UnmatchedSettled) -> list[DropRepayment | RecordDifferenceSettled]:
    """Money that was paid back has its own event before this one, so that dropping the repayment then changes
    nothing."""
    if event.order_id is None:
        return []
    return [
        DropRepayment(order_id=event.order_id, refund_id=f"{UNMATCHED}{event.item}"),
        RecordDifferenceSettled(order_id=event.order_id, item=event.item, how=_end(event)),
    ]


def _end(event: UnmatchedSettled) -> DifferenceEnd:
    if any(posting.account.startswith("wallet:") for posting in event.postings):
        return "wallet"
    match event.how:
        case "matched" | "returned" | "corrected" as how:
            return how
        case _:
            return "by-hand"


def on_payment_unmatched(event: PaymentUnmatched) -> list[RecordOtherPayment]:
    if event.order_id is None or event.expected is None or event.reason in UNTOLD:
        return []
    other = RecordOtherPayment(
        order_id=event.order_id, item=event.item, amount=event.amount, expected=event.expected, reason=event.reason
    )
    return [other]


REACTIONS: Mapping[type[Event], Reaction] = {
    OrderScreened: on_order_screened,
    CaseDecided: on_case_decided,
    StockReserved: on_stock_reserved,
    StockShort: on_stock_short,
    ReservationExpired: on_reservation_expired,
    FundsHeld: on_funds_held,
    HoldRefused: on_hold_refused,
    KeysDelivered: on_keys_delivered,
    SupplierDelivered: on_delivered,
    DeliveryResolved: on_delivered,
    DeliveryFailed: on_delivery_failed,
    FundsRefunded: on_funds_refunded,
    PaymentReturned: on_returned,
    ReturnedByHand: on_returned,
    ReturnFailed: on_return_failed,
    PaymentUnmatched: on_payment_unmatched,
    UnmatchedSettled: on_unmatched_settled,
}

EventWithWait = OrderPlaced | ScreeningRecorded | StockRequested | PaymentRecorded | OrderReopened | OrderConfirmed


def deadline_key(order_id: str) -> str:
    """The scheduler's key of an order's deadline. A new deadline replaces the one before."""
    return f"deadline/{order_id}"


def plan_deadline(event: EventWithWait, at: datetime) -> list[Plan]:
    if event.wait is None:
        return []
    command = MeetDeadline(order_id=event.order_id, step=event.wait.step, attempt=event.wait.attempt)
    return [ScheduleCommand(deadline_key(event.order_id), command, event.wait.until)]


def cancel_deadline(event: OrderCancelled | OrderCompleted, at: datetime) -> list[Plan]:
    return [Cancel(deadline_key(event.order_id))]


PLANS: Mapping[type[Event], Planner] = {
    OrderPlaced: plan_deadline,
    ScreeningRecorded: plan_deadline,
    StockRequested: plan_deadline,
    PaymentRecorded: plan_deadline,
    OrderReopened: plan_deadline,
    OrderConfirmed: plan_deadline,
    OrderCancelled: cancel_deadline,
    OrderCompleted: cancel_deadline,
}
