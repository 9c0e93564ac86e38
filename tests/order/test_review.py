"""What is not paid holds no stock while a person looks at it."""

from __future__ import annotations

from datetime import timedelta

from shared.contracts.order import (
    MeetDeadline,
    OrderCancelled,
    OrderConfirmed,
    OrderReopened,
    ScreeningRecorded,
    StockPutBack,
    StockRequested,
)
from tests.order.builders import NOW, TIME_LIMITS, Life, held, names, place, reserved, screened, short, wish


def under_review() -> Life:
    return Life().all(place(), reserved(), screened("review"))


def test_an_unpaid_order_gives_its_stock_back() -> None:
    life = Life().all(place(wish("card"), wish("topup", 1, "138")), reserved())
    _, put_back = life.send(screened("review"))
    assert isinstance(put_back, StockPutBack)
    assert [line.sku for line in put_back.lines] == ["card"]
    assert life.order.reserved == frozenset()


def test_a_paid_order_keeps_it() -> None:
    (recorded,) = Life().all(place(), reserved(), held()).send(screened("review"))
    assert isinstance(recorded, ScreeningRecorded)


def test_an_answer_of_stock_that_comes_after_the_review_began_is_not_counted() -> None:
    life = Life().all(place(), screened("review"))
    assert life.send(reserved()) == []
    assert life.send(short()) == []
    assert names(life.send(screened("pass"))) == ["ScreeningRecorded", "StockRequested"]


def test_a_passed_order_asks_for_stock_again_and_is_confirmed_with_it() -> None:
    life = under_review().all(held())
    life.now = NOW + timedelta(minutes=5)
    _, requested = life.send(screened("pass"))
    assert isinstance(requested, StockRequested)
    assert (requested.attempt, requested.paid) == (2, True)
    assert requested.wait is not None
    assert (requested.wait.step, requested.wait.attempt) == ("answers", 2)
    assert requested.wait.until == life.now + TIME_LIMITS.answer_within
    assert life.send(reserved(attempt=1)) == []
    _, confirmed = life.send(reserved(attempt=2))
    assert isinstance(confirmed, OrderConfirmed)
    assert confirmed.attempt == 2


def test_a_passed_order_that_finds_no_stock_gives_the_money_back() -> None:
    life = under_review().all(held(), screened("pass"))
    *_, cancelled = life.send(short(attempt=2))
    assert isinstance(cancelled, OrderCancelled)
    assert (cancelled.reason, cancelled.paid) == ("short-stock", True)


def test_a_passed_order_that_is_not_paid_waits_for_its_payment_anew() -> None:
    life = under_review().all(screened("pass"))
    assert life.send(MeetDeadline(order_id="o1", step="payment", attempt=1)) == []
    life.send(reserved(attempt=2))
    *_, confirmed = life.send(held())
    assert isinstance(confirmed, OrderConfirmed)
    unpaid = under_review().all(screened("pass"))
    (cancelled,) = unpaid.send(MeetDeadline(order_id="o1", step="payment", attempt=2))
    assert isinstance(cancelled, OrderCancelled)


def test_an_order_that_lapsed_under_review_and_is_paid_late_has_stock_of_its_own() -> None:
    life = under_review().all(MeetDeadline(order_id="o1", step="payment", attempt=1))
    _, reopened = life.send(held())
    assert isinstance(reopened, OrderReopened)
    life.send(reserved(attempt=2))
    *_, confirmed = life.send(screened("pass"))
    assert isinstance(confirmed, OrderConfirmed)


def test_a_review_without_stock_goes_on_as_it_was() -> None:
    (recorded,) = Life().all(place(wish("course"))).send(screened("review"))
    assert isinstance(recorded, ScreeningRecorded)
