"""The ledger's reactions to orders, deliveries and its own payments, and its calls to channels.

Only an event of the order that has seen the hold frees it: `OrderCancelled` with `paid`, LatePaymentDeclined,
OrderCompleted. Money that crosses a cancellation stays held until the order answers it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from services.ledger.domain.payment.state import FAILED, statement
from shared.contracts import Command, Event, Money, Plan, Planner, Reaction
from shared.contracts.decision import CallExternal, Cancel
from shared.contracts.fulfillment import (
    SupplierClaimWon,
    SupplierDelivered,
    SupplierStatementRecorded,
    SupplierStatementSettled,
    statement_id,
)
from shared.contracts.ledger import (
    CallbackRefused,
    CaptureHold,
    ClosePayment,
    CreditSupplierClaim,
    FundsCaptured,
    FundsRefunded,
    HoldFunds,
    HoldVoided,
    MoveSupplierClaim,
    PaymentClosing,
    PaymentReceived,
    PaymentRequested,
    PaymentUnmatched,
    PostSupplierBill,
    PostSupplierCost,
    RefundCapture,
    RequestPayment,
    RetryRefund,
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
    RefundRetried,
)

FIRST_ASKED_AFTER = timedelta(seconds=5)
ASKED_ABOUT_FOR = timedelta(minutes=10)
REST_OF_HOLD = "hold#rest"


def order_account(order_id: str) -> str:
    """The account for money that is paid through a channel for one order."""
    return f"order:{order_id}"


def on_order_placed(event: OrderPlaced) -> list[Command]:
    if event.payment == WALLET:
        return [HoldFunds(order_id=event.order_id, account=f"wallet:{event.customer}", amount=event.total)]
    account = order_account(event.order_id)
    request = RequestPayment(
        payment_id=event.order_id, account=account, amount=event.total, channel=event.payment, order_id=event.order_id
    )
    return [request]


def on_payment_received(event: PaymentReceived) -> list[Command]:
    if event.order_id is None:
        return []
    return [HoldFunds(order_id=event.order_id, account=event.account, amount=event.amount)]


def on_order_completed(event: OrderCompleted) -> list[Command]:
    if event.delivered.amount == 0:
        return [VoidHold(order_id=event.order_id, reason="nothing delivered")]
    return [CaptureHold(order_id=event.order_id, amount=event.delivered, agent=event.agent)]


def on_order_cancelled(event: OrderCancelled) -> list[Command]:
    """Void the hold of a paid order. Close the payment of an unpaid one: if money comes all the same, the order answers
    it."""
    if event.paid:
        return [VoidHold(order_id=event.order_id, reason=event.reason)]
    return [ClosePayment(payment_id=event.order_id)]


def on_late_payment_declined(event: LatePaymentDeclined) -> list[Command]:
    return [VoidHold(order_id=event.order_id, reason="late payment")]


def on_refund_approved(event: RefundApproved) -> list[Command]:
    return [RefundCapture(order_id=event.order_id, refund_id=event.refund_id, amount=event.amount)]


def on_refund_retried(event: RefundRetried) -> list[Command]:
    return [RetryRefund(payment_id=event.order_id, return_id=event.refund_id)]


def on_supplier_delivered(event: SupplierDelivered) -> list[Command]:
    cost = PostSupplierCost(order_id=event.order_id, line=event.line, supplier=event.supplier, cost=event.cost)
    return [cost]


def on_supplier_statement_recorded(event: SupplierStatementRecorded) -> list[Command]:
    return [] if event.bill is None else [_bill(event, event.bill)]


def on_supplier_statement_settled(event: SupplierStatementSettled) -> list[Command]:
    """Book the part of the bill that was not booked, then move it as staff decided."""
    commands: list[Command] = [] if event.bill is None else [_bill(event, event.bill)]
    if event.moved is not None:
        move = MoveSupplierClaim(
            order_id=event.order_id,
            bill_id=statement_id(event.delivery_id, event.statement),
            supplier=event.supplier,
            amount=event.moved,
            decision=event.decision,
        )
        commands.append(move)
    return commands


def on_supplier_claim_won(event: SupplierClaimWon) -> list[Command]:
    if event.amount is None:
        return []
    bill_id = statement_id(event.delivery_id, event.statement)
    return [CreditSupplierClaim(order_id=event.order_id, bill_id=bill_id, supplier=event.supplier, amount=event.amount)]


def _bill(event: SupplierStatementRecorded | SupplierStatementSettled, amount: Money) -> PostSupplierBill:
    return PostSupplierBill(
        order_id=event.order_id,
        bill_id=statement_id(event.delivery_id, event.statement),
        supplier=event.supplier,
        amount=amount,
    )


def on_hold_ended(event: HoldVoided | FundsCaptured) -> list[Command]:
    """Return the rest of a hold to its source, if it was paid through a channel. An order's hold ends once."""
    rest = event.amount if isinstance(event, HoldVoided) else event.released
    if event.account != order_account(event.order_id) or rest.amount == 0:
        return []
    return [ReturnPayment(payment_id=event.order_id, return_id=REST_OF_HOLD, amount=rest)]


def on_funds_refunded(event: FundsRefunded) -> list[Command]:
    if event.account != order_account(event.order_id):
        return []
    return [ReturnPayment(payment_id=event.order_id, return_id=event.refund_id, amount=event.amount)]


REACTIONS: Mapping[type[Event], Reaction] = {
    OrderPlaced: on_order_placed,
    OrderCompleted: on_order_completed,
    OrderCancelled: on_order_cancelled,
    LatePaymentDeclined: on_late_payment_declined,
    RefundApproved: on_refund_approved,
    RefundRetried: on_refund_retried,
    SupplierDelivered: on_supplier_delivered,
    SupplierStatementRecorded: on_supplier_statement_recorded,
    SupplierStatementSettled: on_supplier_statement_settled,
    SupplierClaimWon: on_supplier_claim_won,
    PaymentReceived: on_payment_received,
    HoldVoided: on_hold_ended,
    FundsCaptured: on_hold_ended,
    FundsRefunded: on_funds_refunded,
}


def plan_opening(event: PaymentRequested, at: datetime) -> list[Plan]:
    payload: dict[str, Any] = {
        "payment_id": event.payment_id,
        "channel": event.channel,
        "amount": event.amount.model_dump(),
    }
    asking = payload | ({"until": event.ask_until.isoformat()} if event.ask_until else {})
    return [
        CallExternal(_opening_key(event.payment_id), "open_payment", payload),
        CallExternal(_asking_key(event.payment_id), "ask_payment", asking, at + FIRST_ASKED_AFTER),
    ]


def _opening_key(payment_id: str) -> str:
    return f"open/{payment_id}"


def plan_closing(event: PaymentClosing, at: datetime) -> list[Plan]:
    """Cancel an opening that has not succeeded, and close the payment. The channel is still asked, because the payment
    may have been paid before."""
    payload = {"payment_id": event.payment_id, "channel": event.channel}
    return [Cancel(_opening_key(event.payment_id)), CallExternal(f"close/{event.payment_id}", "close_payment", payload)]


def _asking_key(payment_id: str) -> str:
    return f"ask/{payment_id}"


def cancel_asking(event: PaymentReceived, at: datetime) -> list[Plan]:
    return [Cancel(_asking_key(event.payment_id))]


def plan_asking(event: CallbackRefused | PaymentUnmatched, at: datetime) -> list[Plan]:
    """Keep asking the channel until time is over, after a "no" or a statement that does not match the payment."""
    if event.amount is None:
        return []
    if isinstance(event, CallbackRefused) and event.reference_of is not None:
        return [_asking_about_owner(event.reference_of, event, at)]
    first = at + FIRST_ASKED_AFTER
    if event.ask_until is None or event.ask_until <= first:
        return []
    has_failed = isinstance(event, CallbackRefused) and event.reason == FAILED
    payload = {
        "payment_id": event.payment_id,
        "channel": event.channel,
        "amount": event.amount.model_dump(),
        "until": event.ask_until.isoformat(),
        "known": statement(FAILED if has_failed else "paid", event.channel, event.channel_ref, event.amount),
    }
    return [CallExternal(_asking_key(event.payment_id), "ask_payment", payload, first)]


def _asking_about_owner(owner: str, event: CallbackRefused, at: datetime) -> Plan:
    """Ask about the payment whose reference a statement for another payment had."""
    payload: dict[str, Any] = {
        "payment_id": owner,
        "channel": event.channel,
        "amount": event.amount.model_dump() if event.amount else None,
        "until": (at + ASKED_ABOUT_FOR).isoformat(),
    }
    return CallExternal(f"ask-about/{owner}", "ask_payment", payload)


def plan_return(event: ReturnRequested, at: datetime) -> list[Plan]:
    payload: dict[str, Any] = {
        "payment_id": event.payment_id,
        "return_id": event.return_id,
        "channel": event.channel,
        "channel_ref": event.channel_ref,
        "amount": event.amount.model_dump(),
        "again": event.again,
    }
    if event.amount.amount == 0:
        return []
    return [CallExternal(f"return/{event.payment_id}/{event.return_id}", "return_payment", payload)]


PLANS: Mapping[type[Event], Planner] = {
    PaymentRequested: plan_opening,
    PaymentClosing: plan_closing,
    PaymentReceived: cancel_asking,
    PaymentUnmatched: plan_asking,
    CallbackRefused: plan_asking,
    ReturnRequested: plan_return,
}
