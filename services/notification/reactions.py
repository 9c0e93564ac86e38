"""The messages that events cause: to buyers about their orders, to staff about work that needs a person. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from services.notification.domain import STAFF
from shared.contracts import CallExternal, Command, Event, Plan, Planner, Reaction, ScheduleCommand
from shared.contracts.fulfillment import (
    DeliveryHandedOver,
    SupplierReportRefused,
    SupplierStatementRecorded,
    statement_id,
)
from shared.contracts.gateway import StatementUnread, WebhookEndpointDisabled
from shared.contracts.inventory import KeysSupplied, StockRanLow
from shared.contracts.ledger import PaymentNotClosed, PaymentOpeningFailed, PaymentUnmatched, ReturnFailed
from shared.contracts.notification import (
    MessageChannel,
    MessageGathered,
    MessageQueued,
    SendMessage,
    TellGathered,
)
from shared.contracts.order import (
    DeliveryOverdue,
    LatePaymentDeclined,
    OrderCancelled,
    OrderCompleted,
    OrderReopened,
    PaymentDifferenceSettled,
    PaymentDiffers,
    RefundFailed,
    RefundRecorded,
    RepaymentDelayed,
    RepaymentEnded,
)
from shared.contracts.risk import CaseOpened

STAFF_CHANNELS: tuple[MessageChannel, ...] = ("console", "webhook")
STOCK_ALERT_PAUSE_SECONDS = 600
WEBHOOK_ALERT_PAUSE_SECONDS = 60
RETURN_ALERT_PAUSE_SECONDS = 60
REPORT_ALERT_PAUSE_SECONDS = 600
CLOSING_ALERT_PAUSE_SECONDS = 60
GATHERED_FOR_SECONDS = 600
LONGEST_ID = 80
MOST_ORDERS_NAMED = 10

Params = dict[str, str | int]
ToBuyer = (
    OrderCompleted
    | OrderCancelled
    | OrderReopened
    | PaymentDiffers
    | PaymentDifferenceSettled
    | LatePaymentDeclined
    | RefundRecorded
    | RefundFailed
    | RepaymentDelayed
    | RepaymentEnded
)


def message_id(template: str, *parts: str) -> str:
    """`<template>/<part>/...`. If that is too long for an id, a hash replaces the parts."""
    whole = "/".join((template, *parts))
    if len(whole) <= LONGEST_ID:
        return whole
    return f"{template}/{hashlib.sha256(whole.encode()).hexdigest()[:40]}"


def on_order_completed(event: OrderCompleted) -> list[Command]:
    params: Params = {"delivered": str(event.delivered), "undelivered": _unless_zero(event)}
    return _to_buyer(event, "order-completed", (event.order_id,), params)


def on_order_cancelled(event: OrderCancelled) -> list[Command]:
    params: Params = {"reason": event.reason, "paid": int(event.paid), "differs": int(event.differs)}
    return _to_buyer(event, "order-cancelled", (event.order_id, event.reason), params)


def on_payment_differs(event: PaymentDiffers) -> list[Command]:
    params: Params = {"amount": str(event.amount), "expected": str(event.expected), "reason": event.reason}
    return _to_buyer(event, "payment-differs", (event.order_id, event.reason, str(event.amount.amount)), params)


def on_payment_difference_settled(event: PaymentDifferenceSettled) -> list[Command]:
    """A corrected difference causes no message: the channel's new statement causes one."""
    if event.how == "corrected":
        return []
    params: Params = {"amount": str(event.amount), "how": event.how}
    return _to_buyer(event, "payment-settled", (event.order_id, event.item), params)


def on_order_reopened(event: OrderReopened) -> list[Command]:
    """Tell the buyer of a cancelled order that it goes on, and whether a person must review it first."""
    if event.amount is None:
        return []
    review = event.wait is not None and event.wait.step == "review"
    return _to_buyer(event, "order-reopened", (event.order_id,), {"amount": str(event.amount), "review": int(review)})


def on_late_payment_declined(event: LatePaymentDeclined) -> list[Command]:
    return _to_buyer(event, "late-payment", (event.order_id,), {})


def on_refund_failed(event: RefundFailed) -> list[Command]:
    params: Params = {"amount": str(event.amount)}
    return _to_buyer(event, "repayment-delayed", (event.order_id, event.refund_id), params)


def on_repayment_delayed(event: RepaymentDelayed) -> list[Command]:
    params: Params = {"amount": str(event.amount)}
    return _to_buyer(event, "repayment-delayed", (event.order_id, event.return_id), params)


def on_repayment_ended(event: RepaymentEnded) -> list[Command]:
    if not event.returned:
        return []
    params: Params = {"amount": str(event.amount)}
    return _to_buyer(event, "repayment-made", (event.order_id, event.return_id), params)


def on_refund_recorded(event: RefundRecorded) -> list[Command]:
    params: Params = {"amount": str(event.amount), "refunded": str(event.refunded), "full": int(event.full)}
    return _to_buyer(event, "refund-recorded", (event.order_id, event.refund_id), params)


def on_stock_ran_low(event: StockRanLow) -> list[Command]:
    params: Params = {"sku": event.sku, "available": event.available, "threshold": event.threshold}
    return _to_staff("stock-low", (event.sku,), params, again_after_seconds=STOCK_ALERT_PAUSE_SECONDS)


def on_keys_supplied(event: KeysSupplied) -> list[Command]:
    orders = dict.fromkeys(key.order_id for key in event.sold)
    params: Params = {
        "sku": event.sku,
        "delivery": event.delivery_id,
        "supplier": event.supplier,
        "given": int(event.given),
        "keys": len(event.numbers),
        "sold": len(event.sold),
        "orders": ", ".join(list(orders)[:MOST_ORDERS_NAMED]),
    }
    return _to_staff("keys-supplied", (event.sku, event.delivery_id, str(event.numbers[0])), params)


def on_delivery_handed_over(event: DeliveryHandedOver) -> list[Command]:
    params: Params = {"line": event.line, "sku": event.sku, "reason": event.reason}
    return _to_staff_together("delivery-handed-over", params, event.order_id)


def on_supplier_statement_recorded(event: SupplierStatementRecorded) -> list[Command]:
    if event.finding == "agrees":
        return []
    params: Params = {
        "statement": statement_id(event.delivery_id, event.statement),
        "line": event.line,
        "sku": event.sku,
        "supplier": event.supplier,
        "finding": event.finding,
        "cost": "" if event.cost is None else str(event.cost),
        "reason": event.reason,
        "goods": len(event.goods),
    }
    parts = (event.order_id, str(event.line), str(event.statement))
    return _to_staff("supplier-statement", parts, params, event.order_id)


def on_supplier_report_refused(event: SupplierReportRefused) -> list[Command]:
    """One message for each supplier and pause, however many unknown purchases it reports. The log has all of them."""
    params: Params = {
        "supplier": event.supplier,
        "request_id": event.request_id,
        "outcome": event.outcome,
        "cost": "" if event.cost is None else str(event.cost),
        "reason": event.reason,
    }
    pause = REPORT_ALERT_PAUSE_SECONDS
    return _to_staff("supplier-report-refused", (event.supplier,), params, event.order_id, again_after_seconds=pause)


def on_statement_unread(event: StatementUnread) -> list[Command]:
    """One message for each partner and pause, because a partner that changed its format sends many such callbacks."""
    params: Params = {
        "kind": event.kind,
        "partner": event.partner,
        "said": ", ".join(f"{scrap.name} {scrap.text}" for scrap in event.scraps),
        "faults": "; ".join(event.faults),
    }
    pause = REPORT_ALERT_PAUSE_SECONDS
    return _to_staff("statement-unread", (event.kind, event.partner), params, again_after_seconds=pause)


def on_case_opened(event: CaseOpened) -> list[Command]:
    params: Params = {"amount": str(event.amount), "rules": len(event.reasons)}
    return _to_staff_together("case-opened", params, event.order_id)


def on_delivery_overdue(event: DeliveryOverdue) -> list[Command]:
    lines = [str(line) for line in event.lines]
    params: Params = {"lines": ", ".join(lines)}
    return _to_staff("delivery-overdue", (event.order_id, "-".join(lines)), params, event.order_id)


def on_return_failed(event: ReturnFailed) -> list[Command]:
    params: Params = {
        "payment": event.payment_id,
        "return_id": event.return_id,
        "amount": str(event.amount),
        "reason": event.reason,
    }
    parts = (event.payment_id, event.return_id)
    return _to_staff("return-failed", parts, params, again_after_seconds=RETURN_ALERT_PAUSE_SECONDS)


def on_payment_unmatched(event: PaymentUnmatched) -> list[Command]:
    params: Params = {
        "payment": event.payment_id,
        "item": event.item,
        "channel": event.channel,
        "amount": str(event.amount),
        "expected": str(event.expected) if event.expected else "",
        "reason": event.reason,
        "booked": int(bool(event.postings)),
    }
    return _to_staff("payment-unmatched", (event.item,), params, event.order_id)


def on_payment_not_closed(event: PaymentNotClosed) -> list[Command]:
    """A payment that was paid before it was closed needs no person."""
    if event.paid is not None:
        return []
    params: Params = {"payment": event.payment_id, "reason": event.reason}
    return _to_staff(
        "payment-not-closed",
        (event.payment_id,),
        params,
        event.order_id,
        again_after_seconds=CLOSING_ALERT_PAUSE_SECONDS,
    )


def on_payment_opening_failed(event: PaymentOpeningFailed) -> list[Command]:
    params: Params = {"payment": event.payment_id, "reason": event.reason}
    return _to_staff("payment-opening-failed", (event.payment_id,), params)


def on_webhook_endpoint_disabled(event: WebhookEndpointDisabled) -> list[Command]:
    if event.reason == "asked":
        return []
    params: Params = {"endpoint": event.endpoint_id, "name": event.name, "reason": event.reason}
    pause = WEBHOOK_ALERT_PAUSE_SECONDS
    return _to_staff("webhook-disabled", (event.endpoint_id,), params, again_after_seconds=pause)


def plan_sending(event: MessageQueued, at: datetime) -> list[Plan]:
    """Send the message at once. A newer round replaces an older one that is not sent yet."""
    payload = {**event.model_dump(mode="json"), "queued_at": at.isoformat()}
    return [CallExternal(key=event.message_id, effect="send", payload=payload)]


def plan_gathered_message(event: MessageGathered, at: datetime) -> list[Plan]:
    """Queue one message for all alerts that come within the pause."""
    if event.number > 1:
        return []
    command = TellGathered(message_id=event.message_id)
    return [ScheduleCommand(key=f"gathered/{event.message_id}", command=command, at=event.until)]


def _unless_zero(event: OrderCompleted) -> str:
    return str(event.undelivered) if event.undelivered.amount else ""


def _to_buyer(event: ToBuyer, template: str, parts: tuple[str, ...], params: Params) -> list[Command]:
    if not event.email:
        return []
    return [
        SendMessage(
            message_id=message_id(template, *parts),
            channel="email",
            to=event.email,
            template=template,
            locale=event.locale,
            params=params,
            order_id=event.order_id,
        )
    ]


def _to_staff(
    template: str,
    parts: tuple[str, ...],
    params: Params,
    order_id: str | None = None,
    again_after_seconds: int | None = None,
    *,
    gather: bool = False,
) -> list[Command]:
    return [
        SendMessage(
            message_id=message_id(template, *parts, channel),
            channel=channel,
            to=STAFF,
            template=template,
            params=params,
            order_id=order_id,
            again_after_seconds=again_after_seconds,
            gather=gather,
        )
        for channel in STAFF_CHANNELS
    ]


def _to_staff_together(template: str, params: Params, order_id: str) -> list[Command]:
    """Alert staff at once, and gather later alerts of the same kind into one message. For alerts whose items a list of
    the API shows as well."""
    return _to_staff(template, (), params, order_id, again_after_seconds=GATHERED_FOR_SECONDS, gather=True)


REACTIONS: Mapping[type[Event], Reaction] = {
    OrderCompleted: on_order_completed,
    OrderCancelled: on_order_cancelled,
    OrderReopened: on_order_reopened,
    PaymentDiffers: on_payment_differs,
    PaymentDifferenceSettled: on_payment_difference_settled,
    LatePaymentDeclined: on_late_payment_declined,
    RefundRecorded: on_refund_recorded,
    RefundFailed: on_refund_failed,
    RepaymentDelayed: on_repayment_delayed,
    RepaymentEnded: on_repayment_ended,
    StockRanLow: on_stock_ran_low,
    KeysSupplied: on_keys_supplied,
    DeliveryHandedOver: on_delivery_handed_over,
    SupplierStatementRecorded: on_supplier_statement_recorded,
    SupplierReportRefused: on_supplier_report_refused,
    CaseOpened: on_case_opened,
    DeliveryOverdue: on_delivery_overdue,
    ReturnFailed: on_return_failed,
    PaymentUnmatched: on_payment_unmatched,
    PaymentOpeningFailed: on_payment_opening_failed,
    PaymentNotClosed: on_payment_not_closed,
    WebhookEndpointDisabled: on_webhook_endpoint_disabled,
    StatementUnread: on_statement_unread,
}
PLANS: Mapping[type[Event], Planner] = {MessageQueued: plan_sending, MessageGathered: plan_gathered_message}
