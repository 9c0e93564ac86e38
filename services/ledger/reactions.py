"""What the ledger does when an order, a delivery or one of its own payments moves on.

A hold is freed only by an order event that says the order has seen it (`OrderCancelled.paid`, LatePaymentDeclined,
OrderCompleted): money that crosses a cancellation stays held until the order answers it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from shared.contracts import Command, Event, Plan, Planner, Reaction
from shared.contracts.decision import Call, Cancel
from shared.contracts.fulfillment import SupplierDelivered
from shared.contracts.ledger import (
    CaptureHold,
    FundsCaptured,
    FundsRefunded,
    HoldFunds,
    HoldVoided,
    PaymentOpeningFailed,
    PaymentReceived,
    PaymentRequested,
    PostSupplierCost,
    RefundCapture,
    RequestPayment,
    ReturnPayment,
    ReturnRequested,
    VoidHold,
)
from shared.contracts.order import (
    WALLET,
    LatePaymentDeclined,
    OrderCancelled,
    OrderCompleted,
    OrderPlaced,
    RefundApproved,
)

FIRST_ASKED_AFTER = timedelta(seconds=5)
REST_OF_HOLD = "hold#rest"


def order_account(order_id: str) -> str:
    """Where money paid straight for one order waits."""
    return f"order:{order_id}"


def _collect(event: OrderPlaced) -> list[Command]:
    if event.payment == WALLET:
        return [HoldFunds(order_id=event.order_id, account=f"wallet:{event.customer}", amount=event.total)]
    account = order_account(event.order_id)
    request = RequestPayment(
        payment_id=event.order_id, account=account, amount=event.total, channel=event.payment, order_id=event.order_id
    )
    return [request]


def _hold_payment(event: PaymentReceived) -> list[Command]:
    if event.order_id is None:
        return []
    return [HoldFunds(order_id=event.order_id, account=event.account, amount=event.amount)]


def _settle(event: OrderCompleted) -> list[Command]:
    if event.delivered.amount == 0:
        return [VoidHold(order_id=event.order_id, reason="nothing delivered")]
    return [CaptureHold(order_id=event.order_id, amount=event.delivered, agent=event.agent)]


def _cancel(event: OrderCancelled) -> list[Command]:
    return [VoidHold(order_id=event.order_id, reason=event.reason)] if event.paid else []


def _decline(event: LatePaymentDeclined) -> list[Command]:
    return [VoidHold(order_id=event.order_id, reason="late payment")]


def _refund(event: RefundApproved) -> list[Command]:
    return [RefundCapture(order_id=event.order_id, refund_id=event.refund_id, amount=event.amount)]


def _owe_supplier(event: SupplierDelivered) -> list[Command]:
    cost = PostSupplierCost(order_id=event.order_id, line=event.line, supplier=event.supplier, cost=event.cost)
    return [cost]


def _return_rest(event: HoldVoided | FundsCaptured) -> list[Command]:
    """What a hold frees of money paid straight for the order goes back to its source; an order's hold ends once."""
    rest = event.amount if isinstance(event, HoldVoided) else event.released
    if event.account != order_account(event.order_id) or rest.amount == 0:
        return []
    return [ReturnPayment(payment_id=event.order_id, return_id=REST_OF_HOLD, amount=rest)]


def _return_refund(event: FundsRefunded) -> list[Command]:
    if event.account != order_account(event.order_id):
        return []
    return [ReturnPayment(payment_id=event.order_id, return_id=event.refund_id, amount=event.amount)]


REACTIONS: Mapping[type[Event], Reaction] = {
    OrderPlaced: _collect,
    OrderCompleted: _settle,
    OrderCancelled: _cancel,
    LatePaymentDeclined: _decline,
    RefundApproved: _refund,
    SupplierDelivered: _owe_supplier,
    PaymentReceived: _hold_payment,
    HoldVoided: _return_rest,
    FundsCaptured: _return_rest,
    FundsRefunded: _return_refund,
}


def _open(event: PaymentRequested, at: datetime) -> list[Plan]:
    payload: dict[str, Any] = {
        "payment_id": event.payment_id,
        "channel": event.channel,
        "amount": event.amount.model_dump(),
    }
    return [
        Call(f"open/{event.payment_id}", "open_payment", payload),
        Call(f"ask/{event.payment_id}", "ask_payment", payload, at + FIRST_ASKED_AFTER),
    ]


def _stop_asking(event: PaymentReceived | PaymentOpeningFailed, at: datetime) -> list[Plan]:
    return [Cancel(f"ask/{event.payment_id}")]


def _pay_back(event: ReturnRequested, at: datetime) -> list[Plan]:
    payload: dict[str, Any] = {
        "payment_id": event.payment_id,
        "return_id": event.return_id,
        "channel": event.channel,
        "amount": event.amount.model_dump(),
    }
    return [Call(f"return/{event.payment_id}/{event.return_id}", "return_payment", payload)]


PLANS: Mapping[type[Event], Planner] = {
    PaymentRequested: _open,
    PaymentReceived: _stop_asking,
    PaymentOpeningFailed: _stop_asking,
    ReturnRequested: _pay_back,
}
