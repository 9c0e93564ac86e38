"""A channel that pays back another amount than it was asked for: it is booked, and a person sees to the rest."""

from __future__ import annotations

from typing import Any

import pytest

from laws import watch
from shared.contracts import Money
from shared.contracts.ledger import (
    GiveBackPayment,
    MatchPayment,
    PaymentReturned,
    RecordReturn,
    RecordReturnByHand,
    RetryRefund,
    RetryReturn,
    ReturnedByHand,
    ReturnFailed,
    SettlePayment,
    UnmatchedSettled,
    VoidHold,
)
from tests.amounts import minor
from tests.ledger.builders import Books, a_callback, a_request
from tests.ledger.test_unmatched import ORDER, paid, payment, refusal

REST: dict[str, Any] = {"payment_id": "o-1", "return_id": "hold#rest"}
BY_HAND = RecordReturnByHand(**REST, note="by bank")


def answered(books: Books, money: Money, return_id: str = "hold#rest") -> Books:
    books.do(RecordReturn(payment_id="o-1", return_id=return_id, returned=False, paid=money, reason="another amount"))
    return books


def returning() -> Books:
    """An order of 500 that was paid and is not needed: 500 are on their way back."""
    books = Books()
    books.do(a_request(**ORDER))
    books.do(a_callback(payment_id="o-1"))
    books.do(VoidHold(order_id="o-1", reason="sold out"))
    return books


def balances(books: Books) -> dict[str, int]:
    kinds = ("channel", "difference", "by-hand")
    amounts = {kind: books.balance(f"{kind}:wechat")[0] for kind in kinds} | {"order": books.balance("order:o-1")[0]}
    return {kind: fen for kind, fen in amounts.items() if fen}


def broken(books: Books) -> list[str]:
    """What the laws say of the books, each event by itself."""
    violations: list[str] = []
    watching = watch()
    for recorded in books.log:
        watching.saw(recorded)
    for found in watching.findings(drained=False):
        violations += found.violations
    return violations


@pytest.mark.parametrize(
    ("fen", "at_once", "ended"),
    [
        (499, {"channel": 1, "order": -1}, {"channel": 1, "by-hand": -1}),
        (501, {"channel": -1, "difference": 1}, {"channel": -1, "difference": 1}),
    ],
)
def test_what_was_paid_back_is_booked_at_once_and_by_hand_moves_the_rest(
    fen: int, at_once: dict[str, int], ended: dict[str, int]
):
    books = answered(returning(), minor(fen))
    (failed,) = books.events(ReturnFailed)
    assert isinstance(failed, ReturnFailed)
    assert (failed.amount, failed.paid) == (minor(500), minor(fen))
    assert balances(books) == at_once

    books.do(BY_HAND)

    assert balances(books) == ended
    (by_hand,) = books.events(ReturnedByHand)
    assert isinstance(by_hand, ReturnedByHand)
    assert by_hand.amount == minor(500)
    assert payment(books).returnable == minor(0)
    assert broken(books) == []
    assert refusal(books, BY_HAND) == "already-returned"


def test_in_another_currency_all_of_it_is_left_to_pay():
    books = answered(returning(), minor(70, "USD"))

    assert balances(books) == {"channel": 500, "order": -500}
    assert books.projection.balance("channel:wechat", "USD").posted == -70
    assert books.projection.balance("difference:wechat", "USD").posted == 70
    books.do(BY_HAND)
    assert balances(books) == {"channel": 500, "by-hand": -500}
    assert broken(books) == []


def test_asking_again_would_find_the_same():
    books = answered(returning(), minor(499))

    assert refusal(books, RetryReturn(**REST)) == "paid-otherwise"
    books.do(RetryRefund(**REST))

    again = books.events(ReturnFailed)[-1]
    assert isinstance(again, ReturnFailed)
    assert (again.paid, again.postings) == (None, ())
    assert "by hand" in again.reason
    assert (payment(books).returns["hold#rest"].paid, payment(books).returnable) == (minor(499), minor(1))


def test_a_channel_that_paid_nothing_is_asked_again():
    books = answered(returning(), minor(0))
    books.do(RetryReturn(**REST))
    books.do(RecordReturn(**REST, returned=True))

    assert len(books.events(PaymentReturned)) == 1
    assert balances(books) == {}


@pytest.mark.parametrize(("fen", "rest"), [(498, 1), (600, 0)])
@pytest.mark.parametrize("ends", ["settled", "by-hand"])
def test_of_money_that_fitted_nothing_the_rest_waits(fen: int, rest: int, ends: str):
    books, item = paid(499)
    books.do(GiveBackPayment(payment_id="o-1", item=item, note=""))
    answered(books, minor(fen), return_id := f"unmatched:{item}")

    assert books.balance("suspense:wechat") == (-rest, 0)
    for command in (
        GiveBackPayment(payment_id="o-1", item=item, note=""),
        MatchPayment(payment_id="o-1", item=item, note=""),
        RetryReturn(payment_id="o-1", return_id=return_id),
    ):
        assert refusal(books, command) == "paid-otherwise"
    if ends == "settled":
        books.do(SettlePayment(payment_id="o-1", item=item, note="by bank"))
    else:
        books.do(RecordReturnByHand(payment_id="o-1", return_id=return_id, note="by bank"))

    assert len(books.events(UnmatchedSettled)) == 1
    assert books.balance("suspense:wechat") == (0, 0)
    assert books.balance("by-hand:wechat")[0] == -rest
    assert broken(books) == []


def test_another_amount_of_what_was_partly_paid_back_is_a_contradiction():
    """It takes the place of nothing: some of what was booked is gone."""
    books, item = paid(499)
    books.do(GiveBackPayment(payment_id="o-1", item=item, note=""))
    answered(books, minor(498), f"unmatched:{item}")

    books.do(a_callback(payment_id="o-1", amount=minor(400)))

    assert {it.reason for it in payment(books).items.values()} == {"amount-mismatch", "contradiction"}
    assert broken(books) == []
