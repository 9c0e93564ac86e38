"""A person finishes what fits no payment: it is matched, given back, or seen to in another way."""

from __future__ import annotations

from typing import Any

import pytest

from services.ledger.domain.chart import Balance
from services.ledger.domain.payment import Payment
from shared.contracts import Command, Refused
from shared.contracts.ledger import (
    CaptureHold,
    FundsHeld,
    GiveBackPayment,
    MatchPayment,
    PaymentReceived,
    PaymentReturned,
    PaymentUnmatched,
    RecordReturn,
    RecordReturnByHand,
    RefundCapture,
    RetryReturn,
    ReturnedByHand,
    ReturnFailed,
    ReturnRequested,
    SettlePayment,
    UnmatchedSettled,
    VoidHold,
)
from tests.amounts import minor
from tests.ledger.builders import Books, a_callback, a_request

ORDER: dict[str, Any] = {"payment_id": "o-1", "account": "order:o-1", "order_id": "o-1"}


def paid(fen: int, *, currency: str = "CNY", deposit: bool = False, **changes: Any) -> tuple[Books, str]:
    """Books in which this much came where 500 was asked for, and the item that it is."""
    books = Books()
    books.do(a_request(**({} if deposit else ORDER)))
    books.do(a_callback(payment_id="p-1" if deposit else "o-1", amount=minor(fen, currency), **changes))
    (event,) = books.events(PaymentUnmatched)
    assert isinstance(event, PaymentUnmatched)
    return books, event.item


def match(item: str, payment_id: str = "o-1", wallet: str | None = None) -> MatchPayment:
    return MatchPayment(payment_id=payment_id, item=item, wallet=wallet, note="the buyer rang")


def give_back(item: str) -> GiveBackPayment:
    return GiveBackPayment(payment_id="o-1", item=item, note="")


def answered(return_id: str, *, returned: bool = True) -> RecordReturn:
    return RecordReturn(payment_id="o-1", return_id=return_id, returned=returned, reason="" if returned else "no")


def refusal(books: Books, command: Command) -> str:
    before = len(books.log)
    with pytest.raises(Refused) as no:
        books.do(command)
    assert len(books.log) == before
    return no.value.code


def payment(books: Books, payment_id: str = "o-1") -> Payment:
    return books.states[f"payment-{payment_id}"]


def test_what_is_missing_is_ours_to_give():
    books, item = paid(499)

    books.do(match(item))

    assert books.events(FundsHeld) == [FundsHeld(order_id="o-1", account="order:o-1", amount=minor(500))]
    assert books.balance("order:o-1") == (-500, 500)
    assert books.balance("channel:wechat") == (499, 0)
    assert books.balance("suspense:wechat") == (0, 0)
    assert books.balance("difference:wechat") == (1, 0)


def test_what_we_gave_comes_back_to_us_and_the_buyer_gets_what_he_paid():
    books, item = paid(499)
    books.do(match(item))

    books.do(VoidHold(order_id="o-1", reason="sold out"))
    (asked,) = books.events(ReturnRequested)
    assert isinstance(asked, ReturnRequested)
    books.do(answered(asked.return_id))

    assert asked.amount == minor(499)
    assert [books.balance(f"{kind}:wechat") for kind in ("channel", "suspense", "difference")] == [(0, 0)] * 3
    assert books.balance("order:o-1") == (0, 0)


def test_the_last_part_that_we_gave_is_not_asked_of_the_channel():
    books, item = paid(499)
    books.do(match(item))
    books.do(CaptureHold(order_id="o-1", amount=minor(500)))
    for refund_id, fen in (("r-1", 499), ("r-2", 1)):
        books.do(RefundCapture(order_id="o-1", refund_id=refund_id, amount=minor(fen)))
        books.do(answered(refund_id))

    returned = [event.amount.amount for event in books.events(PaymentReturned) if isinstance(event, PaymentReturned)]
    assert returned == [499, 0]
    assert books.balance("difference:wechat") == (0, 0)
    assert books.balance("order:o-1") == (0, 0)


@pytest.mark.parametrize("deposit", [False, True])
def test_money_that_is_not_traded_goes_to_no_wallet_and_back(deposit: bool):
    books, item = paid(777, currency="XYZ", deposit=deposit)
    payment_id = "p-1" if deposit else "o-1"

    assert refusal(books, match(item, payment_id, wallet="alice")) == "currency-not-traded"
    if deposit:
        assert refusal(books, match(item, payment_id)) == "currency-not-traded"
    books.do(GiveBackPayment(payment_id=payment_id, item=item, note=""))
    (asked,) = books.events(ReturnRequested)
    books.do(RecordReturn(payment_id=payment_id, return_id=vars(asked)["return_id"], returned=True))

    assert books.projection.balance("suspense:wechat", "XYZ") == Balance()


def test_what_is_too_much_goes_back():
    books, item = paid(530)

    books.do(match(item))
    (asked,) = books.events(ReturnRequested)
    assert isinstance(asked, ReturnRequested)
    assert (asked.amount, asked.channel_ref, asked.account) == (minor(30), "ref-1", "suspense:wechat")
    books.do(answered(asked.return_id))

    assert books.balance("order:o-1") == (-500, 500)
    assert books.balance("channel:wechat") == (500, 0)
    assert books.balance("suspense:wechat") == (0, 0)


def test_a_deposit_is_what_came():
    books, item = paid(499, deposit=True)

    books.do(match(item, "p-1"))

    assert books.balance("wallet:alice") == (-499, 0)
    assert books.balance("suspense:wechat") == (0, 0)


def test_a_deposit_of_another_currency_is_what_came():
    books, item = paid(70, currency="USD", deposit=True)

    books.do(match(item, "p-1"))

    assert books.projection.available("wallet:alice", "USD") == minor(70, "USD")


def test_any_of_it_can_go_into_a_wallet():
    books, item = paid(70, currency="USD")

    books.do(match(item, wallet="bob"))

    assert books.projection.available("wallet:bob", "USD") == minor(70, "USD")
    assert not books.events(PaymentReceived)


def test_an_order_is_not_paid_in_another_currency():
    books, item = paid(70, currency="USD")
    assert refusal(books, match(item)) == "currency-mismatch"


def test_an_order_is_not_paid_twice():
    books, item = paid(499)
    books.do(match(item))
    books.do(a_callback(payment_id="o-1", channel_ref="ref-2"))
    second = books.events(PaymentUnmatched)[1]
    assert isinstance(second, PaymentUnmatched)

    assert second.reason == "paid-twice"
    assert refusal(books, match(second.item)) == "already-paid"


def test_exactly_what_came_is_given_back():
    books, item = paid(70, currency="USD")

    books.do(give_back(item))
    (asked,) = books.events(ReturnRequested)
    assert isinstance(asked, ReturnRequested)
    assert (asked.amount, asked.channel, asked.channel_ref) == (minor(70, "USD"), "wechat", "ref-1")
    assert refusal(books, match(item)) == "return-under-way"
    books.do(answered(asked.return_id))

    (settled,) = books.events(UnmatchedSettled)
    assert isinstance(settled, UnmatchedSettled)
    assert settled.how == "returned"
    assert refusal(books, give_back(item)) == "already-settled"


def test_what_the_channel_does_not_give_back_waits_again():
    books, item = paid(499)
    books.do(give_back(item))
    books.do(answered(f"unmatched:{item}", returned=False))
    assert len(books.events(ReturnFailed)) == 1

    books.do(give_back(item))
    books.do(answered(f"unmatched:{item}"))

    first, again = books.events(ReturnRequested)
    assert isinstance(first, ReturnRequested)
    assert isinstance(again, ReturnRequested)
    assert (first.again, again.again) == (False, True)
    assert books.balance("suspense:wechat") == (0, 0)


def test_a_failed_return_needs_nobody_once_the_money_has_found_its_place():
    books, item = paid(499)
    books.do(give_back(item))
    books.do(answered(f"unmatched:{item}", returned=False))

    books.do(match(item))

    retry = RetryReturn(payment_id="o-1", return_id=f"unmatched:{item}")
    assert refusal(books, retry) == "already-returned"
    row = books.projection.returns.get("o-1", f"unmatched:{item}")
    assert row is not None
    assert row["status"] == "settled"


def test_a_person_sees_to_it_in_another_way():
    books, item = paid(499)

    books.do(SettlePayment(payment_id="o-1", item=item, note="paid back by bank"))

    assert books.balance("suspense:wechat") == (0, 0)
    assert books.balance("by-hand:wechat") == (-499, 0)


def test_a_contradiction_is_seen_to_and_moves_nothing():
    books, item = paid(499)
    books.do(match(item))
    books.do(a_callback(payment_id="o-1", amount=minor(700)))
    second = books.events(PaymentUnmatched)[1]
    assert isinstance(second, PaymentUnmatched)
    assert refusal(books, match(second.item)) == "nothing-booked"
    before = books.memory.dump()["accounts"]

    books.do(SettlePayment(payment_id="o-1", item=second.item, note="the channel erred"))

    assert books.memory.dump()["accounts"] == before


def test_money_for_a_payment_that_we_do_not_know_can_be_given_back():
    books = Books()
    books.do(a_callback(payment_id="lost"))
    (event,) = books.events(PaymentUnmatched)
    assert isinstance(event, PaymentUnmatched)
    assert refusal(books, match(event.item, "lost")) == "no-payment"

    books.do(GiveBackPayment(payment_id="lost", item=event.item, note=""))
    books.do(RecordReturn(payment_id="lost", return_id=f"unmatched:{event.item}", returned=True))

    assert books.balance("channel:wechat") == (0, 0)


def test_what_nobody_knows_is_not_settled():
    books, item = paid(499)
    for command in (match("another"), give_back("another"), SettlePayment(payment_id="o-1", item="another", note="")):
        assert refusal(books, command) == "unknown-item"
    assert item


# Returns that failed


def a_failed_return() -> Books:
    books = Books()
    books.do(a_request(**ORDER))
    books.do(a_callback(payment_id="o-1"))
    books.do(VoidHold(order_id="o-1", reason=""))
    books.do(answered("hold#rest", returned=False))
    return books


def test_a_failed_return_is_tried_again_under_its_own_id():
    books = a_failed_return()

    books.do(RetryReturn(payment_id="o-1", return_id="hold#rest"))
    assert refusal(books, RetryReturn(payment_id="o-1", return_id="hold#rest")) == "return-under-way"
    books.do(answered("hold#rest"))

    assert [event.again for event in books.events(ReturnRequested) if isinstance(event, ReturnRequested)] == [
        False,
        True,
    ]
    assert books.balance("order:o-1") == (0, 0)
    assert refusal(books, RetryReturn(payment_id="o-1", return_id="hold#rest")) == "already-returned"
    assert refusal(books, RetryReturn(payment_id="o-1", return_id="another")) == "unknown-return"


def test_a_failed_return_is_paid_by_hand_once():
    books = a_failed_return()

    books.do(RecordReturnByHand(payment_id="o-1", return_id="hold#rest", note="by bank, on Tuesday"))

    (event,) = books.events(ReturnedByHand)
    assert isinstance(event, ReturnedByHand)
    assert event.amount == minor(500)
    assert books.balance("order:o-1") == (0, 0)
    assert books.balance("by-hand:wechat") == (-500, 0)
    assert refusal(books, RecordReturnByHand(payment_id="o-1", return_id="hold#rest", note="")) == "already-returned"
    assert payment(books).returnable == minor(0)
