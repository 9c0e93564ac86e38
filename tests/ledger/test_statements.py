"""Whatever a channel says of money is booked once, and waits for a person where it fits no payment."""

from __future__ import annotations

from typing import Any

import pytest

from services.ledger.domain.payment import Payment, decide_payment, evolve_payment
from services.ledger.domain.payment.state import item_id
from shared.contracts import Decided, Event, Money
from shared.contracts.ledger import (
    ANOTHERS_REFERENCE,
    OTHER_REFERENCE,
    UNREAD_ANSWER,
    CallbackRefused,
    PaymentReceived,
    PaymentUnmatched,
    RecordPaymentOpening,
    ReturnRequested,
    SettlePayment,
    UnmatchedSettled,
)
from tests.amounts import minor
from tests.ledger.builders import (
    ASK_WITHIN,
    NOW,
    OPENED,
    a_callback,
    folded,
    given,
    received,
    refused,
    requested,
    unmatched,
)

OPEN = (requested(), OPENED)
RECEIVED = (*OPEN, received())
SHORT = unmatched(minor(499), ask_until=NOW + ASK_WITHIN)

GOING = ReturnRequested(
    payment_id="p-1",
    return_id=f"unmatched:{SHORT.item}",
    amount=minor(499),
    channel="wechat",
    channel_ref="ref-1",
    account="suspense:wechat",
)


def after(*events: Event) -> Payment:
    return folded(evolve_payment, Payment(), events)


def decide_callback(state: Payment, owner: str | None = None, **changes: Any) -> tuple[list[Event], Any]:
    decided = decide_payment(a_callback(**changes), state, given(owner))
    assert isinstance(decided, Decided)
    return list(decided.events), decided.answer


@pytest.mark.parametrize(
    ("past", "changes", "reason", "answer"),
    [
        (OPEN, {"amount": minor(499)}, "amount-mismatch", "wrong-amount"),
        (OPEN, {"amount": minor(501)}, "amount-mismatch", "wrong-amount"),
        (OPEN, {"amount": minor(500, "USD")}, "currency-mismatch", "wrong-amount"),
        (OPEN, {"channel_ref": "ref-2"}, "wrong-reference", "wrong-reference"),
        ((requested(),), {"channel_ref": ""}, "wrong-reference", "wrong-reference"),
        (OPEN, {"channel": "alipay"}, "wrong-channel", "wrong-channel"),
        ((), {}, "unknown-payment", "unknown-payment"),
        (RECEIVED, {"channel_ref": "ref-2", "callback_id": "cb-2"}, "paid-twice", "replayed"),
        (RECEIVED, {"channel_ref": "ref-2", "amount": minor(7, "JPY")}, "paid-twice", "replayed"),
        ((*OPEN, refused("failed", amount=minor(500))), {"amount": minor(499)}, "amount-mismatch", "wrong-amount"),
    ],
)
def test_money_that_fits_no_payment_waits_on_a_suspense_account(
    past: tuple[Event, ...], changes: dict[str, Any], reason: str, answer: str
):
    said = a_callback(**changes)

    events, answered = decide_callback(after(*past), **changes)

    (event,) = events
    assert isinstance(event, PaymentUnmatched)
    assert (event.reason, event.amount) == (reason, said.amount)
    assert [(one.account, one.amount) for one in event.postings] == [
        (f"channel:{said.channel}", said.amount),
        (f"suspense:{said.channel}", -said.amount),
    ]
    assert answered == {"outcome": "refused", "reason": answer}


def test_it_is_booked_once_however_often_it_is_repeated():
    once = after(*OPEN, SHORT)

    assert decide_callback(once, amount=minor(499), callback_id="cb-9") == (
        [],
        {"outcome": "refused", "reason": "wrong-amount"},
    )


def test_a_forged_callback_is_evidence_of_nothing():
    for past in (OPEN, RECEIVED):
        events, _ = decide_callback(after(*past), authentic=False, amount=minor(499))
        (event,) = events
        assert isinstance(event, CallbackRefused)
        assert (event.reason, event.amount) == ("bad-signature", None)


def test_a_reference_of_another_payment_is_booked_there_and_asked_about():
    events, answer = decide_callback(after(*OPEN), owner="p-2", channel_ref="ref-9")

    event, _ = events
    assert isinstance(event, CallbackRefused)
    assert (event.reason, event.reference_of, event.amount) == ("wrong-reference", "p-2", minor(500))
    assert answer == {"outcome": "refused", "reason": "wrong-reference"}


@pytest.mark.parametrize("past", [(), OPEN, RECEIVED], ids=["unknown", "open", "paid"])
def test_what_is_said_of_a_payment_under_anothers_reference_waits_for_a_person_once(past: tuple[Event, ...]):
    state = after(*past)

    _, item = decide_callback(state, owner="p-2", channel_ref="ref-9")[0]

    assert isinstance(item, PaymentUnmatched)
    assert (item.reason, item.channel_ref, item.amount, item.postings) == (ANOTHERS_REFERENCE, "ref-9", minor(500), ())
    again, _ = decide_callback(evolve_payment(state, item), owner="p-2", channel_ref="ref-9")
    assert [type(event) for event in again] == [CallbackRefused]
    other, _ = decide_callback(evolve_payment(state, item), owner="p-2", channel_ref="ref-9", amount=minor(100))
    assert [type(event) for event in other] == [CallbackRefused, PaymentUnmatched]
    assert len(decide_callback(state, owner="p-2", channel_ref="ref-9", amount=minor(0))[0]) == 1


def test_money_of_a_reference_that_the_channel_gave_to_two_payments_waits_for_a_person():
    state = after(*OPEN)

    (event,), answer = decide_callback(state, owner="p-2")

    assert isinstance(event, PaymentUnmatched)
    assert (event.reason, event.amount, len(event.postings)) == ("shared-reference", minor(500), 2)
    assert answer == {"outcome": "refused", "reason": "wrong-reference"}
    waiting = evolve_payment(state, event)
    assert decide_callback(waiting, owner="p-2") == ([], answer)
    settled, again = decide_callback(waiting, owner="p-2", amount=minor(499))[0]
    assert isinstance(settled, UnmatchedSettled)
    assert isinstance(again, PaymentUnmatched)
    assert (settled.how, again.reason) == ("corrected", "shared-reference")


@pytest.mark.parametrize("before", [(), OPEN], ids=["unknown", "open"])
def test_paid_and_no_money_at_all_is_a_contradiction_for_a_person(before: tuple[Event, ...]):
    state = after(*before)
    (event,) = decide_callback(state, amount=minor(0))[0]

    assert isinstance(event, PaymentUnmatched)
    assert (event.reason, event.amount, event.postings) == ("contradiction", minor(0), ())
    assert decide_callback(evolve_payment(state, event), amount=minor(0))[0] == []


def test_the_right_amount_takes_the_place_of_the_wrong_one():
    """The same reference is the same money: the channel said it wrongly before."""
    events, answer = decide_callback(after(*OPEN, SHORT))

    settled, money = events
    assert isinstance(settled, UnmatchedSettled)
    assert settled.how == "corrected"
    assert [(one.account, one.amount.amount) for one in settled.postings] == [
        ("suspense:wechat", 499),
        ("channel:wechat", -499),
    ]
    assert money == received()
    assert answer == {"outcome": "received"}
    assert decide_callback(after(*OPEN, SHORT, *events)) == ([], {"outcome": "already-received"})


@pytest.mark.parametrize(
    ("past", "changes"),
    [
        pytest.param(RECEIVED, {"amount": minor(501)}, id="of what is received"),
        pytest.param((*OPEN, SHORT, GOING), {"amount": minor(498)}, id="of what is on its way back"),
    ],
)
def test_nothing_is_booked_twice_when_the_channel_contradicts_itself(past: tuple[Event, ...], changes: dict[str, Any]):
    state = after(*past)

    (event,) = decide_callback(state, **changes)[0]

    assert isinstance(event, PaymentUnmatched)
    assert (event.reason, event.postings) == ("contradiction", ())
    assert decide_callback(evolve_payment(state, event), **changes)[0] == []


def test_what_the_channel_says_last_takes_the_place_of_what_waits():
    state = after(*OPEN, SHORT)

    settled, again = decide_callback(state, amount=minor(498))[0]

    assert isinstance(settled, UnmatchedSettled)
    assert isinstance(again, PaymentUnmatched)
    assert (settled.how, settled.amount, again.amount, again.reason) == (
        "corrected",
        minor(499),
        minor(498),
        "amount-mismatch",
    )
    after_it = folded(evolve_payment, state, (settled, again))
    assert decide_callback(after_it, amount=minor(498))[0] == []
    back = decide_callback(after_it, amount=minor(499))[0]
    assert len({event.item for event in (*back, SHORT, again) if isinstance(event, PaymentUnmatched)}) == 3


def test_a_payment_that_is_said_to_have_failed_after_it_came_is_for_a_person():
    (event,) = decide_callback(after(*RECEIVED), status="failed")[0]

    assert isinstance(event, PaymentUnmatched)
    assert (event.reason, event.postings) == ("failed-after-paid", ())


def test_that_asking_is_over_says_nothing_of_a_payment_that_has_come():
    assert decide_callback(after(*RECEIVED), status="failed", in_vain=True)[0] == []


def test_a_no_is_an_event_whenever_it_is_news():
    no = refused("failed", amount=minor(500), ask_until=NOW + ASK_WITHIN)

    assert decide_callback(after(*OPEN), status="failed")[0] == [no]
    assert decide_callback(after(*OPEN, no), status="failed")[0] == []
    assert decide_callback(after(*OPEN, no, SHORT), status="failed")[0] == [no]


def test_a_payment_that_failed_first_is_paid_when_the_channel_says_so():
    assert decide_callback(after(*OPEN, refused("failed", amount=minor(500))))[0] == [received()]


def test_a_repetition_after_a_no_is_an_event_so_that_asking_goes_on():
    (event,) = decide_callback(after(*OPEN, SHORT, refused("failed", amount=minor(500))), amount=minor(499))[0]

    assert isinstance(event, CallbackRefused)
    assert (event.reason, event.ask_until) == ("replayed", NOW + ASK_WITHIN)


def test_items_have_ids_of_their_own():
    names = {
        item_id("p-1", "wechat", "ref-1"),
        item_id("p-2", "wechat", "ref-1"),
        item_id("p-1", "alipay", "ref-1"),
        item_id("p-1", "wechat", "ref-2"),
        item_id("p-1", "wechat", "ref-1", Money(amount=1)),
    }
    assert len(names) == 5


def test_what_an_older_version_wrote_is_read():
    """Events without amounts and references, as logs hold them."""
    old = CallbackRefused(payment_id="p-1", channel="wechat", callback_id="cb-1", reason="wrong-amount")
    state = after(requested(ask_until=None), OPENED, old)

    events, _ = decide_callback(state)

    assert isinstance(events[0], PaymentReceived)


UNREAD = {"status": "failed", "in_vain": True, "unread": True, "channel_ref": ""}


@pytest.mark.parametrize("past", [OPEN, (*OPEN, refused("failed")), (*OPEN, SHORT)])
def test_a_last_answer_that_can_not_be_read_waits_for_a_person_once(past: tuple[Event, ...]) -> None:
    state = after(*past)

    (item,), answer = decide_callback(state, **UNREAD)

    assert isinstance(item, PaymentUnmatched)
    assert (item.reason, item.amount, item.postings, item.ask_until) == (UNREAD_ANSWER, minor(0), (), None)
    assert answer["reason"] == "failed"
    waiting = evolve_payment(state, item)
    assert decide_callback(waiting, **UNREAD)[0] == []
    assert (waiting.said, waiting.booked) == (state.said, state.booked)


def test_an_unread_answer_about_a_payment_that_has_come_waits_for_nobody() -> None:
    assert decide_callback(after(*RECEIVED), **UNREAD)[0] == []


def test_what_comes_after_all_is_the_payment() -> None:
    (item,), _ = decide_callback(after(*OPEN), **UNREAD)
    (came,), _ = decide_callback(after(*OPEN, item))
    assert isinstance(came, PaymentReceived)


def opened_as(ref: str, *past: Event) -> list[Event]:
    opening = RecordPaymentOpening(payment_id="p-1", opened=True, channel_ref=ref, pay_url="https://pay.example/1")
    decided = decide_payment(opening, after(*past), given())
    assert isinstance(decided, list)
    return decided


def test_an_opening_that_contradicts_what_it_was_paid_under_waits_for_a_person_once() -> None:
    early = (requested(), received())
    assert opened_as("ref-1", *early) == []

    (item,) = opened_as("ref-2", *early)

    assert isinstance(item, PaymentUnmatched)
    assert (item.reason, item.channel_ref, item.amount, item.postings) == (OTHER_REFERENCE, "ref-2", minor(500), ())
    assert opened_as("ref-2", *early, item) == []
    settle = SettlePayment(payment_id="p-1", item=item.item, note="the channel mixed up two payments")
    decided = decide_payment(settle, after(*early, item), given())
    assert isinstance(decided, list)
    (settled,) = decided
    assert isinstance(settled, UnmatchedSettled)
    assert settled.postings == ()


def test_the_payments_own_callback_still_counts_after_the_contradiction() -> None:
    """It is a second payment for the books: which of the two is this one's, a person decides."""
    early = (requested(), received())
    (item,) = opened_as("ref-2", *early)

    (second,), _ = decide_callback(after(*early, item), channel_ref="ref-2")

    assert isinstance(second, PaymentUnmatched)
    assert (second.reason, second.amount) == ("paid-twice", minor(500))
    assert second.postings
