"""A payment moves money once, for an honest callback, and back once."""

from __future__ import annotations

from typing import Any

import pytest

from services.ledger.domain.payment import Channels, Payment, decide_payment, evolve_payment
from shared.contracts import Decided, Event, Refused
from shared.contracts.ledger import (
    PaymentOpeningFailed,
    PaymentReturned,
    RecordPaymentOpening,
    RecordReturn,
    ReturnFailed,
    ReturnPayment,
    ReturnRequested,
)
from tests.amounts import minor
from tests.ledger.builders import ASK_WITHIN, OPENED, a_callback, a_request, folded, given, received, requested

CHANNELS = Channels(frozenset({"wechat"}), ASK_WITHIN)
OPENING = RecordPaymentOpening(payment_id="p-1", opened=True, channel_ref="ref-1", pay_url="https://pay.example/1")
RETURN = ReturnPayment(payment_id="p-1", return_id="r-1", amount=minor(200))
REQUESTED_RETURN = ReturnRequested(
    payment_id="p-1", return_id="r-1", amount=minor(200), channel="wechat", channel_ref="ref-1"
)


def after(*events: Event) -> Payment:
    return folded(evolve_payment, Payment(), events)


def events_of(decided: list[Event] | Decided) -> list[Event]:
    return list(decided.events) if isinstance(decided, Decided) else decided


def decide_callback(state: Payment, owner: str | None = None, **changes: Any) -> tuple[list[Event], Any]:
    decided = decide_payment(a_callback(**changes), state, given(owner))
    assert isinstance(decided, Decided)
    return list(decided.events), decided.answer


def test_a_deposit_is_requested_once():
    assert decide_payment(a_request(), Payment(), given(CHANNELS)) == [requested()]
    assert decide_payment(a_request(), after(requested()), given(CHANNELS)) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": minor(0)}, "bad-amount"),
        ({"amount": minor(-5)}, "bad-amount"),
        ({"amount": minor(500, "KWD")}, "currency-not-traded"),
        ({"channel": "paypal"}, "unknown-channel"),
        ({"account": "revenue:main"}, "unknown-account"),
        ({"account": "order:o-1"}, "unknown-account"),
    ],
)
def test_a_bad_deposit_is_refused(changes: dict[str, Any], code: str):
    with pytest.raises(Refused) as no:
        decide_payment(a_request(**changes), Payment(), given(CHANNELS))
    assert (no.value.code, no.value.status) == (code, 422)


def test_an_id_is_not_used_for_two_payments():
    with pytest.raises(Refused) as no:
        decide_payment(a_request(amount=minor(1)), after(requested()), given(CHANNELS))
    assert no.value.code == "payment-exists"


def test_the_payment_of_an_order_is_never_refused():
    command = a_request(payment_id="o-1", account="order:o-1", order_id="o-1", channel="paypal")
    assert decide_payment(command, Payment(), given(CHANNELS)) == [
        requested(payment_id="o-1", account="order:o-1", order_id="o-1", channel="paypal")
    ]


def test_the_channel_opens_it_or_will_not():
    assert decide_payment(OPENING, after(requested()), given()) == [OPENED]
    no = RecordPaymentOpening(payment_id="p-1", opened=False, reason="closed")
    assert decide_payment(no, after(requested()), given()) == [PaymentOpeningFailed(payment_id="p-1", reason="closed")]


@pytest.mark.parametrize("past", [(), (requested(), OPENED), (requested(), received())])
def test_an_opening_counts_only_while_it_is_waited_for(past: tuple[Event, ...]):
    assert decide_payment(OPENING, after(*past), given()) == []


@pytest.mark.parametrize(
    "past",
    [
        pytest.param((requested(), OPENED), id="opened"),
        pytest.param((requested(),), id="overtaking the opening"),
        pytest.param((requested(), PaymentOpeningFailed(payment_id="p-1", reason="no answer")), id="opening lost"),
    ],
)
def test_an_honest_callback_brings_the_money(past: tuple[Event, ...]):
    events, answer = decide_callback(after(*past))
    assert events == [received()]
    assert answer == {"outcome": "received"}


def test_the_same_callback_again_changes_nothing():
    assert decide_callback(after(requested(), OPENED, received())) == ([], {"outcome": "already-received"})


def test_a_return_is_requested_once():
    state = after(requested(), OPENED, received())
    assert decide_payment(RETURN, state, given(minor(500))) == [REQUESTED_RETURN]
    assert decide_payment(RETURN, evolve_payment(state, REQUESTED_RETURN), given(minor(300))) == []


@pytest.mark.parametrize(
    ("past", "fen", "available"),
    [
        pytest.param((requested(), OPENED), 200, 500, id="nothing received"),
        pytest.param((requested(), OPENED, received()), 501, 900, id="more than received"),
        pytest.param((requested(), OPENED, received()), 200, 199, id="more than the account has"),
        pytest.param(
            (requested(), OPENED, received(), REQUESTED_RETURN.model_copy(update={"return_id": "r-0"})),
            301,
            900,
            id="more than is left beside another return",
        ),
    ],
)
def test_too_much_is_not_returned(past: tuple[Event, ...], fen: int, available: int):
    command = RETURN.model_copy(update={"amount": minor(fen)})
    (event,) = events_of(decide_payment(command, after(*past), given(minor(available))))
    assert isinstance(event, ReturnFailed)
    assert event.amount == minor(fen)


def test_a_return_ends_once():
    state = after(requested(), OPENED, received(), REQUESTED_RETURN)
    done = RecordReturn(payment_id="p-1", return_id="r-1", returned=True)
    (event,) = events_of(decide_payment(done, state, given()))
    assert isinstance(event, PaymentReturned)
    assert [(p.account, p.amount.amount) for p in event.postings] == [("wallet:alice", 200), ("channel:wechat", -200)]
    assert decide_payment(done, evolve_payment(state, event), given()) == []


def test_a_failed_return_leaves_the_money_returnable():
    state = after(requested(), OPENED, received(), REQUESTED_RETURN)
    no = RecordReturn(payment_id="p-1", return_id="r-1", returned=False, reason="account closed")
    failed = ReturnFailed(payment_id="p-1", return_id="r-1", amount=minor(200), reason="account closed")
    assert decide_payment(no, state, given()) == [failed]
    again = RETURN.model_copy(update={"return_id": "r-2", "amount": minor(500)})
    (event,) = events_of(decide_payment(again, evolve_payment(state, failed), given(minor(500))))
    assert isinstance(event, ReturnRequested)


def test_a_return_of_what_was_not_yet_requested_stays_refused():
    (failed,) = events_of(decide_payment(RETURN, Payment(), given(minor(0))))
    assert isinstance(failed, ReturnFailed)
    assert decide_payment(RETURN, after(failed, requested(), received()), given(minor(500))) == []
