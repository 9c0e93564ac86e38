"""PaidTerminal."""

from __future__ import annotations

import pytest

from shared.contracts import Event
from shared.contracts.ledger import ReturnFailed
from shared.contracts.order import LatePaymentDeclined
from tests.amounts import minor
from tests.laws.builders import (
    bought,
    broken,
    cancellation,
    cancelled,
    captured,
    completed,
    delivery_failed,
    finding,
    held,
    keys_delivered,
    line_recorded,
    received,
    refund_approved,
    refunded,
    sale,
    top_up,
    voided,
)

WALLET = "wallet:a"
DECLINED = LatePaymentDeclined(order_id="o-1", amount=minor(500))


@pytest.mark.parametrize("history", [sale("o-1", 1), top_up("o-1"), cancellation("o-1")])
def test_an_order_that_is_paid_and_ended_is_done_with(history: list[Event]) -> None:
    found = finding("PaidTerminal", *history, drained=True)

    assert (found.ok, found.checked, found.under_way) == (True, 1, 0)


def test_a_cancellation_that_had_not_seen_the_money_is_answered_later() -> None:
    history = [cancelled("o-1", paid=False), held("o-1", 500, WALLET), DECLINED, voided("o-1", 500)]

    assert finding("PaidTerminal", *history, drained=True).ok
    assert finding("PaidTerminal", cancelled("o-2", paid=False), drained=True).ok


@pytest.mark.parametrize(
    ("history", "complaint"),
    [
        ([held("o-1", 500)], "o-1 is paid and not ended"),
        ([held("o-1", 500), completed("o-1", 500)], "o-1 is paid and not settled"),
        ([completed("o-1", 500)], "o-1 is completed and its money was never held"),
        ([captured("o-1", 500)], "o-1 is settled and its money was never held"),
        ([keys_delivered("o-1", 1)], "o-1/1 has ended, as only fulfillment says"),
        ([line_recorded("o-1")], "o-1/1 has ended, as only order says"),
        ([refund_approved("o-1", 5)], "refund o-1 refund-1 is known to order only"),
        ([refunded("o-1", 5)], "refund o-1 refund-1 is known to ledger only"),
        (cancellation("o-1")[:-1], "money is left on order:o-1"),
    ],
)
def test_what_has_not_ended_is_under_way_and_broken_once_all_is_at_rest(history: list[Event], complaint: str) -> None:
    at_work = finding("PaidTerminal", *history)
    at_rest = finding("PaidTerminal", *history, drained=True)

    assert at_work.ok
    assert at_work.under_way == at_rest.broken > 0
    assert complaint in at_rest.violations


def test_money_that_the_channel_would_not_take_back_is_left_to_people() -> None:
    failed = ReturnFailed(payment_id="o-1", return_id="hold#rest", amount=minor(1_000), reason="closed account")

    assert finding("PaidTerminal", *cancellation("o-1")[:-1], failed, drained=True).ok


@pytest.mark.parametrize(
    ("history", "complaint"),
    [
        (
            [held("o-1", 500), completed("o-1", 400, 100), captured("o-1", 500)],
            "o-1 was completed: 400 delivered",
        ),
        (
            [held("o-1", 500), captured("o-1", 500), cancelled("o-1", paid=True)],
            "o-1 was cancelled: 0 delivered",
        ),
        ([held("o-1", 500), completed("o-1", 500), voided("o-1", 500)], "o-1 was completed: 500 delivered and 0"),
        ([held("o-1", 500), completed("o-1", 400), captured("o-1", 400, 50)], "o-1: 500 held, 400 captured, 50 freed"),
        ([completed("o-1", 500), cancelled("o-1", paid=True)], "o-1 was cancelled after it had ended"),
        ([captured("o-1", 500), voided("o-1", 500)], "the hold of o-1 ended twice"),
        ([held("o-1", 500), held("o-1", 500)], "o-1 was held twice"),
        ([*sale("o-1", 1), cancelled("o-1", paid=True)], "o-1 was cancelled after it had ended"),
        ([*sale("o-1", 1), voided("o-1", 500)], "the hold of o-1 ended twice"),
        ([*sale("o-1", 1), held("o-1", 500)], "o-1 was held twice"),
        ([delivery_failed("o-1"), keys_delivered("o-1", 1)], "o-1/1 ended twice, as fulfillment says"),
        ([*top_up("o-1"), bought("o-1", "north")], "o-1/1 ended twice, as fulfillment says"),
        ([*sale("o-1", 1), line_recorded("o-1")], "o-1/1 ended twice, as order says"),
        ([delivery_failed("o-1"), line_recorded("o-1")], "o-1/1 was delivered as order says, and not as the other"),
        (
            [line_recorded("o-1", delivered=False), keys_delivered("o-1", 1)],
            "o-1/1 was delivered as fulfillment says, and not as the other",
        ),
        ([*sale("o-1", 1), refund_approved("o-1", 300)], "refund o-1 refund-1 was made twice by order"),
        ([*sale("o-1", 1), refunded("o-1", 300)], "refund o-1 refund-1 was made twice by ledger"),
        ([refund_approved("o-1", 5), refunded("o-1", 6)], "refund o-1 refund-1 was of another amount: 6 in ledger"),
    ],
)
def test_an_order_that_ended_wrongly_is_named_at_the_event(history: list[Event], complaint: str) -> None:
    assert "PaidTerminal" not in broken(*history[:-1])

    (said,) = broken(*history)["PaidTerminal"]
    assert said.startswith(complaint)


def test_received_money_alone_is_under_way() -> None:
    assert finding("PaidTerminal", received("o-1", 500)).under_way == 1
