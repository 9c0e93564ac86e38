"""LinksClosed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from laws import LinksClosed, links_closed, watch
from shared.contracts import Event
from shared.contracts.ledger import PaymentClosed, PaymentClosing, PaymentNotClosed, PaymentRequested
from shared.contracts.notification import MessageQueued
from tests.amounts import minor
from tests.laws.builders import cancelled, finding, received, record, watched

LAW = "LinksClosed"
REQUESTED = PaymentRequested(payment_id="o-1", account="order:o-1", amount=minor(500), channel="wechat", order_id="o-1")
CLOSING = PaymentClosing(payment_id="o-1", channel="wechat", order_id="o-1")
CLOSED = PaymentClosed(payment_id="o-1", order_id="o-1")
NOT_CLOSED = PaymentNotClosed(payment_id="o-1", order_id="o-1", paid=None, reason="not now")
WAS_PAID = NOT_CLOSED.model_copy(update={"paid": minor(500)})
ENDED = cancelled("o-1", paid=False)
SHOWN = MessageQueued(
    message_id="m-1", channel="console", to="staff", template="payment-not-closed", locale="zh",
    params={"payment": "o-1", "reason": "not now"}, order_id="o-1",
)  # fmt: skip


@pytest.mark.parametrize(
    "events",
    [
        (REQUESTED, ENDED, CLOSING, CLOSED),
        (ENDED, REQUESTED, CLOSING, WAS_PAID),
        (REQUESTED, CLOSING, ENDED, NOT_CLOSED, SHOWN),
        (REQUESTED, SHOWN, CLOSING, NOT_CLOSED, ENDED),
        (REQUESTED, CLOSING, received("o-1", 500), ENDED),
        (REQUESTED, CLOSING, NOT_CLOSED, CLOSING, CLOSED),
        (ENDED,),
    ],
)
def test_a_closing_that_ends_is_well(events: tuple[Event, ...]):
    assert finding(LAW, *events, drained=True).ok
    assert links_closed(watched(*events).law(LinksClosed)).ok


@pytest.mark.parametrize("events", [(REQUESTED, CLOSING), (REQUESTED, CLOSING, NOT_CLOSED)])
def test_a_closing_without_an_end_that_anybody_knows_is_broken(events: tuple[Event, ...]):
    (violation,) = links_closed(watched(*events).law(LinksClosed)).violations
    assert "o-1" in violation
    assert finding(LAW, *events, drained=True).ok


def test_what_nobody_asked_to_be_closed_was_not_closed():
    assert "nobody had asked" in finding(LAW, REQUESTED, CLOSED).violations[0]


def test_of_a_system_at_work_only_what_waits_for_hours_is_broken():
    seen = watch()
    (first, second) = record((CLOSING, CLOSING.model_copy(update={"payment_id": "o-2"})))
    seen.saw(first)
    seen.saw(replace(second, at=first.at + timedelta(hours=5)))
    (violation,) = next(it for it in seen.findings(drained=False) if it.law == LAW).violations
    assert "o-1" in violation


def test_an_order_that_ended_unpaid_and_left_its_payment_open_is_named():
    assert "o-1" in links_closed(watched(REQUESTED, ENDED).law(LinksClosed)).violations[0]
    assert "o-1" in links_closed(watched(ENDED, REQUESTED).law(LinksClosed)).violations[0]
    assert finding(LAW, REQUESTED, ENDED, drained=True).ok
