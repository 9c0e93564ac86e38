from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest
from pydantic import TypeAdapter

from services.order.domain import Order
from shared.contracts import Refused
from shared.contracts.inventory import Listing
from shared.contracts.order import (
    CancelOrder,
    DeliveryOverdue,
    LatePaymentDeclined,
    MeetDeadline,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderReopened,
    PaymentRecorded,
    RecordPayment,
    RecordReservationExpiry,
    ScreeningRecorded,
)
from tests.amounts import yuan
from tests.order.builders import (
    LISTINGS,
    NOW,
    TIME_LIMITS,
    Life,
    completed,
    confirmed,
    delivered,
    failed,
    held,
    names,
    placed,
    reserved,
    screened,
    short,
    wish,
)

TWO_LINES = (wish("card"), wish("code"))


def deadline(step, attempt=1) -> MeetDeadline:
    return MeetDeadline(order_id="o1", step=step, attempt=attempt)


def expiry(attempt=1) -> RecordReservationExpiry:
    return RecordReservationExpiry(order_id="o1", line=1, attempt=attempt)


def cancellation(life: Life) -> OrderCancelled:
    event = life.history[-1]
    assert isinstance(event, OrderCancelled)
    return event


@pytest.mark.parametrize("answers", list(permutations([screened(), held(), reserved(1), reserved(2)])))
def test_the_last_of_all_answers_confirms(answers):
    life = placed(*TWO_LINES)
    for answer in answers[:-1]:
        assert "OrderConfirmed" not in names(life.send(answer))
    assert names(life.send(answers[-1]))[-1] == "OrderConfirmed"
    confirmation = life.history[-1]
    assert isinstance(confirmation, OrderConfirmed)
    assert [line.sku for line in confirmation.lines] == ["card", "code"]
    assert (confirmation.attempt, confirmation.buyer_key) == (1, "pk")
    assert confirmation.wait is not None
    assert (confirmation.wait.step, confirmation.wait.until) == ("delivery", NOW + TIME_LIMITS.deliver_within)


@pytest.mark.parametrize("answers", list(permutations([delivered(1), delivered(2), held(), reserved(2)])))
def test_an_order_that_has_forgotten_its_confirmation_ends_as_it_did(answers):
    """Its database was restored from a backup; what others answered since is heard again, in whatever order."""
    life = placed(*TWO_LINES).all(screened(), reserved(1))

    for answer in answers:
        life.send(answer)

    ended = [name for name in names(life.history) if name in ("OrderConfirmed", "OrderCompleted", "OrderCancelled")]
    assert ended == ["OrderConfirmed", "OrderCompleted"]
    assert names(life.history).count("DeliveryRecorded") == 2


def test_lines_that_are_not_from_stock_need_no_reservation():
    life = placed(wish("topup", target="1"), wish("course"))
    assert names(life.send(held())) == ["PaymentRecorded"]
    assert names(life.send(screened())) == ["ScreeningRecorded", "OrderConfirmed"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (screened("block"), "blocked"),
        (short(), "short-stock"),
        (expiry(), "expired"),
        (deadline("payment"), "unpaid"),
        (RecordPayment(order_id="o1", held=False), "insufficient-funds"),
        (CancelOrder(order_id="o1"), "buyer"),
        (CancelOrder(order_id="o1", by="staff"), "staff"),
    ],
)
def test_any_no_cancels_an_unpaid_order(answer, reason):
    life = placed().all(answer)
    assert (cancellation(life).reason, cancellation(life).paid) == (reason, False)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (screened("block"), "blocked"),
        (short(), "short-stock"),
        (expiry(), "expired"),
        (deadline("answers"), "no-answer"),
        (CancelOrder(order_id="o1"), "buyer"),
    ],
)
def test_any_no_to_a_paid_order_says_that_money_is_held(answer, reason):
    life = placed().all(held(), answer)
    assert (cancellation(life).reason, cancellation(life).paid) == (reason, True)


@pytest.mark.parametrize("answer", [screened(), reserved(), short(), expiry(), deadline("payment")])
def test_answers_to_a_cancelled_order_change_nothing(answer):
    life = placed().all(CancelOrder(order_id="o1"))
    assert life.send(answer) == []


def test_a_payment_starts_the_wait_for_the_other_answers():
    (paid,) = placed().send(held())
    assert isinstance(paid, PaymentRecorded)
    assert paid.wait is not None
    assert (paid.wait.step, paid.wait.until) == ("answers", NOW + TIME_LIMITS.answer_within)


def test_a_wallet_order_keeps_the_wait_it_began_with():
    life = placed(payment="wallet")
    (paid,) = life.send(held())
    assert isinstance(paid, PaymentRecorded)
    assert paid.wait is None
    life.send(deadline("answers"))
    assert (cancellation(life).reason, cancellation(life).paid) == ("no-answer", True)


def test_review_only_extends_the_wait():
    life = placed().all(held(), reserved())
    (recorded,) = life.send(screened("review"))
    assert isinstance(recorded, ScreeningRecorded)
    assert recorded.wait is not None
    assert (recorded.wait.step, recorded.wait.until) == ("review", NOW + TIME_LIMITS.review_within)
    assert life.send(deadline("answers")) == []
    assert names(life.send(screened("pass"))) == ["ScreeningRecorded", "OrderConfirmed"]


def test_review_does_not_extend_the_time_to_pay():
    life = placed().all(reserved())
    recorded, _ = life.send(screened("review"))
    assert isinstance(recorded, ScreeningRecorded)
    assert recorded.wait is None
    life.send(deadline("payment"))
    assert cancellation(life).reason == "unpaid"


def test_a_payment_during_review_waits_for_the_review():
    (paid,) = placed().all(screened("review")).send(held())
    assert isinstance(paid, PaymentRecorded)
    assert paid.wait is not None
    assert paid.wait.step == "review"


def test_a_passed_review_waits_for_the_answers_still_missing():
    (recorded,) = placed().all(held(), screened("review")).send(screened("pass"))
    assert isinstance(recorded, ScreeningRecorded)
    assert recorded.wait is not None
    assert recorded.wait.step == "answers"


@pytest.mark.parametrize(("end", "reason"), [(screened("block"), "blocked"), (deadline("review"), "no-answer")])
def test_a_review_may_end_badly(end, reason):
    life = placed().all(held(), reserved(), screened("review"), end)
    assert (cancellation(life).reason, cancellation(life).paid) == (reason, True)


def test_the_stock_of_an_order_in_review_may_expire():
    life = placed().all(held(), reserved(), screened("review"), expiry())
    assert cancellation(life).reason == "expired"


def test_a_payment_after_the_time_to_pay_reopens_the_order_with_a_new_attempt():
    life = placed().all(screened(), reserved(), deadline("payment"))
    life.now = NOW + timedelta(hours=2)
    events = life.send(held())
    paid, reopened = events
    assert isinstance(paid, PaymentRecorded)
    assert paid.late
    assert isinstance(reopened, OrderReopened)
    assert (reopened.attempt, reopened.reserved_until) == (2, life.now + TIME_LIMITS.reserve_for)
    assert (reopened.amount, reopened.email) == (life.order.total, "ann@example.org")
    assert reopened.wait is not None
    assert (reopened.wait.step, reopened.wait.attempt) == ("answers", 2)
    assert life.send(reserved(attempt=1)) == []
    assert life.send(expiry(attempt=1)) == []
    assert life.send(deadline("answers", attempt=1)) == []
    confirmation = life.send(reserved(attempt=2))[-1]
    assert isinstance(confirmation, OrderConfirmed)
    assert confirmation.attempt == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(short(attempt=2), "short-stock"), (deadline("answers", 2), "no-answer"), (expiry(2), "expired")],
)
def test_a_reopened_order_that_fails_again_gives_the_held_money_back(answer, reason):
    life = placed().all(screened(), deadline("payment"), held(), answer)
    assert (cancellation(life).reason, cancellation(life).paid) == (reason, True)
    assert life.send(held()) == []


OFFER = LISTINGS["card"]


@pytest.mark.parametrize(
    ("listings", "days", "said"),
    [
        pytest.param({"card": OFFER}, 2, "too late", id="weeks later"),
        pytest.param({"card": OFFER.model_copy(update={"on_sale": False})}, 0, "not on sale", id="off sale"),
        pytest.param({}, 0, "not on sale", id="no longer there"),
        pytest.param({"card": OFFER.model_copy(update={"price": yuan(11)})}, 0, "costs 11.00 CNY now", id="dearer"),
        pytest.param({"card": OFFER.model_copy(update={"price": yuan(9)})}, 0, "", id="cheaper"),
    ],
)
def test_a_late_payment_buys_what_is_still_sold_for_no_more(listings: dict[str, Listing], days: int, said: str):
    life = placed().all(screened(), reserved(), deadline("payment"))
    life.now, life.listings = NOW + timedelta(days=days, hours=1), listings

    events = life.send(held())

    if not said:
        assert names(events) == ["PaymentRecorded", "OrderReopened"]
        return
    (declined,) = events
    assert isinstance(declined, LatePaymentDeclined)
    assert said in declined.reason
    assert (declined.amount, declined.email) == (yuan(10), "ann@example.org")
    assert life.send(held()) == []


def test_a_late_payment_for_lines_without_stock_confirms_at_once():
    life = placed(wish("course")).all(screened(), deadline("payment"))
    assert names(life.send(held())) == ["PaymentRecorded", "OrderReopened", "OrderConfirmed"]


def test_screening_heard_while_cancelled_counts_when_the_order_is_reopened():
    life = placed(wish("course")).all(deadline("payment"), screened())
    assert names(life.send(held()))[-1] == "OrderConfirmed"


def test_an_order_in_review_is_reopened_into_its_review():
    life = placed(wish("course")).all(screened("review"), deadline("payment"))
    reopened = life.send(held())[-1]
    assert isinstance(reopened, OrderReopened)
    assert reopened.wait is not None
    assert (reopened.wait.step, reopened.wait.attempt) == ("review", 2)


def test_a_late_payment_of_a_blocked_order_is_declined():
    life = placed().all(deadline("payment"), screened("block"))
    assert names(life.send(held())) == ["LatePaymentDeclined"]


@pytest.mark.parametrize("payment", ["wallet", "wechat"])
@pytest.mark.parametrize("end", [CancelOrder(order_id="o1"), screened("block"), short(), expiry()])
def test_a_hold_that_crosses_a_cancellation_is_declined_once(payment, end):
    life = placed(payment=payment).all(end)
    assert names(life.send(held())) == ["LatePaymentDeclined"]
    assert life.send(held()) == []


def test_a_paid_order_that_was_cancelled_hears_of_its_money_again():
    life = placed().all(held(), CancelOrder(order_id="o1"))
    assert life.send(held()) == []


def test_cancelling():
    with pytest.raises(Refused) as unknown:
        Life().send(CancelOrder(order_id="o1"))
    assert (unknown.value.code, unknown.value.status) == ("unknown-order", 404)
    assert placed().all(CancelOrder(order_id="o1")).send(CancelOrder(order_id="o1")) == []
    for late in (confirmed(), completed()):
        with pytest.raises(Refused, match="too-late"):
            late.send(CancelOrder(order_id="o1"))


def test_the_last_line_that_ends_completes_the_order():
    life = confirmed(*TWO_LINES)
    assert names(life.send(failed(1))) == ["DeliveryRecorded"]
    assert names(life.send(delivered(2, (4,)))) == ["DeliveryRecorded", "OrderCompleted"]
    done = life.history[-1]
    assert isinstance(done, OrderCompleted)
    assert (done.delivered, done.undelivered) == (yuan(30), yuan(10))


def test_an_order_of_which_nothing_was_delivered_is_completed_with_nothing():
    life = confirmed().all(failed())
    done = life.history[-1]
    assert isinstance(done, OrderCompleted)
    assert (done.delivered, done.undelivered) == (yuan(0), yuan(10))


def test_the_first_result_of_a_line_counts():
    life = confirmed(*TWO_LINES).all(failed(1))
    assert life.send(delivered(1, (4,))) == []


def test_an_overdue_delivery_is_recorded_once_and_still_awaited():
    life = confirmed(*TWO_LINES).all(delivered(1, (4,)))
    assert life.send(deadline("delivery")) == [DeliveryOverdue(order_id="o1", lines=(2,))]
    assert life.send(deadline("delivery")) == []
    assert names(life.send(delivered(2, (5,)))) == ["DeliveryRecorded", "OrderCompleted"]


@pytest.mark.parametrize("command", [screened(), reserved(), held(), delivered(), deadline("payment"), expiry()])
def test_answers_to_an_unknown_order_change_nothing(command):
    assert Life().send(command) == []


def test_a_state_survives_its_snapshot():
    adapter = TypeAdapter(Order)
    order = completed().order
    assert adapter.validate_json(adapter.dump_json(order)) == order
