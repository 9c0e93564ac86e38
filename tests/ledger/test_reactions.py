"""What the ledger does when others move on, and what it plans."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.ledger.reactions import PLANS, REACTIONS
from shared.contracts import CallExternal, Cancel, Command, Event, Plan
from shared.contracts.fulfillment import SupplierDelivered
from shared.contracts.ledger import (
    CaptureHold,
    ClosePayment,
    FundsCaptured,
    FundsRefunded,
    HoldFunds,
    HoldVoided,
    PostSupplierCost,
    RefundCapture,
    RequestPayment,
    ReturnPayment,
    ReturnRequested,
    VoidHold,
)
from shared.contracts.order import LatePaymentDeclined, OrderCancelled, OrderCompleted, OrderPlaced, RefundApproved
from tests.amounts import minor
from tests.ledger.builders import ASK_WITHIN, NOW, posting, received, refused, requested, unmatched


def reacted(event: Event) -> list[Command]:
    return list(REACTIONS[type(event)](event))


def placed(payment: str, fen: int = 500) -> OrderPlaced:
    return OrderPlaced(
        order_id="o-1", customer="alice", lines=(), total=minor(fen), payment=payment, sales_channel="web",
        channel_order_no=None, buyer_key="", ip="", device="", email="", locale="zh", agent=None, fingerprint="",
        pay_by=NOW, reserved_until=NOW,
    )  # fmt: skip


def cancelled(paid: bool) -> OrderCancelled:
    return OrderCancelled(order_id="o-1", customer="alice", reason="buyer", paid=paid, lines=())


def completed(fen: int) -> OrderCompleted:
    return OrderCompleted(
        order_id="o-1", customer="alice", delivered=minor(fen), undelivered=minor(500 - fen), agent="bob"
    )


def voided(account: str, fen: int = 500) -> HoldVoided:
    return HoldVoided(order_id="o-1", account=account, amount=minor(fen), reason="buyer")


def captured(account: str, released: int) -> FundsCaptured:
    return FundsCaptured(order_id="o-1", account=account, amount=minor(300), released=minor(released), postings=())


def refunded(account: str) -> FundsRefunded:
    postings = (posting("refunds:north", 50), posting(account, -50))
    return FundsRefunded(order_id="o-1", refund_id="r-1", account=account, amount=minor(50), postings=postings)


def returned(return_id: str, fen: int) -> ReturnPayment:
    return ReturnPayment(payment_id="o-1", return_id=return_id, amount=minor(fen))


HOLD_OF_ORDER = HoldFunds(order_id="o-1", account="order:o-1", amount=minor(500))
COST = SupplierDelivered(
    delivery_id="o-1/1", order_id="o-1", line=1, sku="s", supplier="acme", supplier_ref="x", cost=minor(7)
)


@pytest.mark.parametrize(
    ("event", "commands"),
    [
        (placed("wallet"), [HoldFunds(order_id="o-1", account="wallet:alice", amount=minor(500))]),
        (
            placed("wechat"),
            [
                RequestPayment(
                    payment_id="o-1", account="order:o-1", amount=minor(500), channel="wechat", order_id="o-1"
                )
            ],
        ),
        (received(payment_id="o-1", account="order:o-1", order_id="o-1"), [HOLD_OF_ORDER]),
        (received(), []),
        (completed(300), [CaptureHold(order_id="o-1", amount=minor(300), agent="bob")]),
        (completed(0), [VoidHold(order_id="o-1", reason="nothing delivered")]),
        (cancelled(paid=True), [VoidHold(order_id="o-1", reason="buyer")]),
        (cancelled(paid=False), [ClosePayment(payment_id="o-1")]),
        (LatePaymentDeclined(order_id="o-1", amount=minor(500)), [VoidHold(order_id="o-1", reason="late payment")]),
        (
            RefundApproved(order_id="o-1", refund_id="r-1", amount=minor(50), reason="bad key"),
            [RefundCapture(order_id="o-1", refund_id="r-1", amount=minor(50))],
        ),
        (COST, [PostSupplierCost(order_id="o-1", line=1, supplier="acme", cost=minor(7))]),
        (voided("order:o-1"), [returned("hold#rest", 500)]),
        (voided("order:o-1", fen=0), []),
        (voided("wallet:alice"), []),
        (captured("order:o-1", released=200), [returned("hold#rest", 200)]),
        (captured("order:o-1", released=0), []),
        (captured("wallet:alice", released=200), []),
        (refunded("order:o-1"), [returned("r-1", 50)]),
        (refunded("wallet:alice"), []),
    ],
)
def test_reactions(event: Event, commands: list[Command]):
    assert reacted(event) == commands


PAYLOAD: dict[str, Any] = {"payment_id": "p-1", "channel": "wechat", "amount": {"amount": 500, "currency": "CNY"}}
UNTIL = {"until": (NOW + ASK_WITHIN).isoformat()}


def asked(event: Event) -> list[Plan]:
    return list(PLANS[type(event)](event, NOW))


def test_a_payment_is_opened_at_once_and_asked_about_later():
    assert asked(requested()) == [
        CallExternal("open/p-1", "open_payment", PAYLOAD),
        CallExternal("ask/p-1", "ask_payment", PAYLOAD | UNTIL, NOW + timedelta(seconds=5)),
    ]


def test_asking_stops_when_the_payment_has_come():
    assert asked(received()) == [Cancel("ask/p-1")]


@pytest.mark.parametrize(
    ("event", "known"),
    [
        (refused("failed", amount=minor(500), ask_until=NOW + ASK_WITHIN), "failed"),
        (refused("wrong-amount", amount=minor(0), ask_until=NOW + ASK_WITHIN), "paid wechat ref-1 0 CNY"),
        (unmatched(minor(499), ask_until=NOW + ASK_WITHIN), "paid wechat ref-1 499 CNY"),
    ],
)
def test_asking_goes_on_after_a_no_and_after_another_amount(event: Event, known: str):
    (call,) = asked(event)

    assert isinstance(call, CallExternal)
    assert (call.key, call.at) == ("ask/p-1", NOW + timedelta(seconds=5))
    assert (call.payload["known"], call.payload["until"]) == (known, UNTIL["until"])


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(refused("bad-signature", ask_until=NOW + ASK_WITHIN), id="nobody of the channel said it"),
        pytest.param(refused("failed", amount=minor(500)), id="the payment has come"),
        pytest.param(refused("failed", amount=minor(500), ask_until=NOW), id="its time is over"),
    ],
)
def test_nothing_is_asked_for_longer_than_the_payment_is_waited_for(event: Event):
    assert asked(event) == []


def test_a_statement_under_another_name_is_a_reason_to_ask_about_its_reference():
    (call,) = asked(refused("wrong-reference", amount=minor(500), reference_of="p-7", ask_until=NOW + ASK_WITHIN))

    assert isinstance(call, CallExternal)
    assert (call.key, call.payload["payment_id"], call.at) == ("ask-about/p-7", "p-7", None)


def test_a_return_is_asked_of_the_channel():
    event = ReturnRequested(payment_id="p-1", return_id="r-1", amount=minor(50), channel="wechat", channel_ref="ref-1")
    (call,) = PLANS[ReturnRequested](event, NOW)
    assert isinstance(call, CallExternal)
    assert (call.effect, call.key, call.payload["channel"]) == ("return_payment", "return/p-1/r-1", "wechat")
