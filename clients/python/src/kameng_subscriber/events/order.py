# Generated from the contracts by `python -m clients.generate`. Not to be edited.

"""What `order` tells."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from kameng_subscriber.events.common import Money
from kameng_subscriber.models import EventData, Model

__all__ = [
    "DeliveryOverdue",
    "DeliveryRecorded",
    "LatePaymentDeclined",
    "OrderCancelled",
    "OrderCompleted",
    "OrderConfirmed",
    "OrderLine",
    "OrderPlaced",
    "OrderReopened",
    "PaymentDifferenceSettled",
    "PaymentDiffers",
    "PaymentRecorded",
    "PositionLost",
    "RefundApproved",
    "RefundFailed",
    "RefundRecorded",
    "RefundRetried",
    "RepaymentDelayed",
    "RepaymentEnded",
    "ReplacementConfirmed",
    "ReplacementFailed",
    "ReplacementRequested",
    "ReservationRecorded",
    "ScreeningRecorded",
    "StockPutBack",
    "StockRequested",
    "Wait",
]


class OrderLine(Model):
    """A line as sold. `line` counts from 1; a replacement is a further line of the same order, free of charge.

    `costs_nothing`: a supplier delivers it, and charges the shop nothing according to the listing."""

    line: int
    sku: str
    name: str
    kind: Literal["card-key", "top-up", "activation-code", "membership", "course", "bill-payment", "custom"] | str
    source: Literal["keys", "supplier", "manual"] | str
    quantity: int
    unit_price: Money
    amount: Money
    suppliers: tuple[str, ...] = ()
    target: str | None = None
    costs_nothing: bool = False


class DeliveryOverdue(EventData, event_type="kameng.order.DeliveryOverdue.v1", event_key="order_id"):
    """The delivery of some lines of a confirmed order did not end in time. A person should look at the order."""

    order_id: str
    lines: tuple[int, ...]


class DeliveryRecorded(EventData, event_type="kameng.order.DeliveryRecorded.v1", event_key="order_id"):
    """The order recorded how the delivery of a line ended."""

    order_id: str
    line: int
    delivered: bool
    numbers: tuple[int, ...]
    reason: str = ""


class LatePaymentDeclined(EventData, event_type="kameng.order.LatePaymentDeclined.v1", event_key="order_id"):
    """A payment came for an order that stays cancelled. The money goes back to its source."""

    order_id: str
    amount: Money
    reason: str = ""
    email: str = ""
    locale: Literal["zh", "en"] | str = "zh"


class OrderCancelled(EventData, event_type="kameng.order.OrderCancelled.v1", event_key="order_id"):
    """The order was cancelled and will not be delivered. Reserved stock is released, and held money is given back."""

    order_id: str
    customer: str | None
    reason: (
        Literal["unpaid", "insufficient-funds", "short-stock", "blocked", "buyer", "staff", "no-answer", "expired"]
        | str
    )
    note: str = ""
    paid: bool
    lines: tuple[OrderLine, ...]
    email: str = ""
    locale: Literal["zh", "en"] | str = "zh"
    differs: bool = False


class OrderCompleted(EventData, event_type="kameng.order.OrderCompleted.v1", event_key="order_id"):
    """The delivery of every line ended. The amount `delivered` is captured; the amount `undelivered` is given back."""

    order_id: str
    customer: str | None
    delivered: Money
    undelivered: Money
    agent: str | None
    email: str = ""
    locale: Literal["zh", "en"] | str = "zh"


class Wait(Model):
    """What an order waits for next, in which attempt, and until when."""

    step: Literal["payment", "answers", "review", "delivery"] | str
    attempt: int
    until: datetime


class OrderConfirmed(EventData, event_type="kameng.order.OrderConfirmed.v1", event_key="order_id"):
    """The order passed its screening, its stock is reserved (in this `attempt`), and it is paid. These lines are to be
    delivered."""

    order_id: str
    customer: str | None
    lines: tuple[OrderLine, ...]
    attempt: int
    buyer_key: str
    wait: Wait | None = None


class OrderPlaced(EventData, event_type="kameng.order.OrderPlaced.v1", event_key="order_id"):
    """A buyer placed an order at the catalogue's prices. It waits for screening, stock and payment."""

    order_id: str
    customer: str | None
    lines: tuple[OrderLine, ...]
    total: Money
    payment: str
    sales_channel: str
    channel_order_no: str | None
    buyer_key: str
    ip: str
    device: str
    email: str
    locale: Literal["zh", "en"] | str
    agent: str | None
    fingerprint: str
    pay_by: datetime
    reserved_until: datetime
    wait: Wait | None = None


class OrderReopened(EventData, event_type="kameng.order.OrderReopened.v1", event_key="order_id"):
    """The payment came after the order had been cancelled as unpaid. The order goes on: its lines are to be reserved
    again."""

    order_id: str
    lines: tuple[OrderLine, ...]
    attempt: int
    reserved_until: datetime
    wait: Wait | None = None
    amount: Money | None = None
    email: str = ""
    locale: Literal["zh", "en"] | str = "zh"


class PaymentDifferenceSettled(EventData, event_type="kameng.order.PaymentDifferenceSettled.v1", event_key="order_id"):
    """Money that did not match the order's payment was settled.

    `how`: it paid the order (`matched`), went to the customer's `wallet` or back to where it came from (`returned`),
    staff settled it in another way (`by-hand`), or the channel named another amount instead (`corrected`). `waiting`
    counts the other amounts of the order that are delayed or wait for a person."""

    order_id: str
    customer: str | None
    item: str
    amount: Money
    how: Literal["matched", "wallet", "returned", "by-hand", "corrected"] | str
    waiting: int
    email: str = ""
    locale: Literal["zh", "en"] | str = "zh"


class PaymentDiffers(EventData, event_type="kameng.order.PaymentDiffers.v1", event_key="order_id"):
    """The channel reported money for the order that does not match its payment. A person must match it or give it back.

    `item` is its id in the ledger's PaymentUnmatched."""

    order_id: str
    customer: str | None
    item: str
    amount: Money
    expected: Money
    reason: str
    email: str = ""
    locale: Literal["zh", "en"] | str = "zh"


class PaymentRecorded(EventData, event_type="kameng.order.PaymentRecorded.v1", event_key="order_id"):
    """The order is paid: its whole amount is held. `late` means that it had already been cancelled."""

    order_id: str
    amount: Money
    late: bool = False
    wait: Wait | None = None


class RefundApproved(EventData, event_type="kameng.order.RefundApproved.v1", event_key="order_id"):
    """Part of a completed order is to be refunded by the ledger. `line` and `number` name the key that it is for."""

    order_id: str
    refund_id: str
    amount: Money
    reason: str
    line: int | None = None
    number: int | None = None


class RefundFailed(EventData, event_type="kameng.order.RefundFailed.v1", event_key="order_id"):
    """The channel did not pay a refund back. It is still owed, and can be requested again."""

    order_id: str
    customer: str | None
    refund_id: str
    amount: Money
    reason: str
    email: str = ""
    locale: Literal["zh", "en"] | str = "zh"


class RefundRecorded(EventData, event_type="kameng.order.RefundRecorded.v1", event_key="order_id"):
    """A refund reached the buyer. `refunded` is the sum of all refunds so far; `full` means that nothing is left."""

    order_id: str
    customer: str | None
    refund_id: str
    amount: Money
    refunded: Money
    full: bool
    email: str = ""
    locale: Literal["zh", "en"] | str = "zh"


class RefundRetried(EventData, event_type="kameng.order.RefundRetried.v1", event_key="order_id"):
    """A refund that failed is to be tried again by the ledger."""

    order_id: str
    refund_id: str
    amount: Money
    reason: str


class RepaymentDelayed(EventData, event_type="kameng.order.RepaymentDelayed.v1", event_key="order_id"):
    """The channel did not pay back money of the order that is not a refund: the rest of a payment, one that came too
    late, or one that did not match. It is still owed, and staff must settle it."""

    order_id: str
    customer: str | None
    return_id: str
    amount: Money
    reason: str
    email: str = ""
    locale: Literal["zh", "en"] | str = "zh"


class RepaymentEnded(EventData, event_type="kameng.order.RepaymentEnded.v1", event_key="order_id"):
    """Money that was delayed was paid back. If not `returned`, a person found another use for it.

    `waiting` counts the other amounts of the order that are still delayed or wait for a person."""

    order_id: str
    customer: str | None
    return_id: str
    amount: Money
    returned: bool
    waiting: int
    email: str = ""
    locale: Literal["zh", "en"] | str = "zh"


class ReplacementConfirmed(EventData, event_type="kameng.order.ReplacementConfirmed.v1", event_key="order_id"):
    """A new key is reserved for the replacement line, which is to be delivered."""

    order_id: str
    customer: str | None
    line: OrderLine
    buyer_key: str


class ReplacementFailed(EventData, event_type="kameng.order.ReplacementFailed.v1", event_key="order_id"):
    """No key was left as a replacement. The price of one key is refunded instead."""

    order_id: str
    line: int
    reason: str


class ReplacementRequested(EventData, event_type="kameng.order.ReplacementRequested.v1", event_key="order_id"):
    """A line was added, free of charge, to replace the key `number` of line `replaces`."""

    order_id: str
    line: OrderLine
    replaces: int
    number: int
    reason: str
    reserved_until: datetime


class ReservationRecorded(EventData, event_type="kameng.order.ReservationRecorded.v1", event_key="order_id"):
    """The order recorded whether stock was reserved for a line."""

    order_id: str
    line: int
    attempt: int
    reserved: bool


class ScreeningRecorded(EventData, event_type="kameng.order.ScreeningRecorded.v1", event_key="order_id"):
    """The order recorded the decision of risk."""

    order_id: str
    decision: Literal["pass", "review", "block"] | str
    reasons: tuple[str, ...]
    wait: Wait | None = None


class StockPutBack(EventData, event_type="kameng.order.StockPutBack.v1", event_key="order_id"):
    """The stock of these lines was put back for other orders, because a person must first decide whether the order,
    which is not paid, passes."""

    order_id: str
    lines: tuple[OrderLine, ...]


class StockRequested(EventData, event_type="kameng.order.StockRequested.v1", event_key="order_id"):
    """A person let the order pass after its stock had been put back. Its lines are to be reserved again."""

    order_id: str
    lines: tuple[OrderLine, ...]
    attempt: int
    paid: bool
    reserved_until: datetime
    wait: Wait | None = None


class PositionLost(EventData, event_type="kameng.order.PositionLost.v1", event_key="log"):
    """The event at this position was lost with a database and can't be recovered. It changes no state.

    It takes up the position, so that no other event gets it. The log of the service `log` was restored from a backup up
    to position `kept`, whose event was recorded at `since`. Readers or subscribers knew events up to position `upto`.
    """

    log: str
    kept: int
    upto: int
    since: datetime
