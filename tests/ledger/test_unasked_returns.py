"""Returns that a channel lists and nobody asked for: money left, and each waits once for a person."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts import Money
from shared.contracts.ledger import (
    UNASKED_RETURN,
    ListedReturn,
    PaymentReturned,
    PaymentUnmatched,
    RecordReturn,
    SettlePayment,
    UnmatchedSettled,
)
from tests.amounts import minor
from tests.ledger.builders import Books
from tests.ledger.test_paid_otherwise import returning


def record_return(books: Books, *others: tuple[str, Money], **more: Any) -> list[PaymentUnmatched]:
    listed = tuple(ListedReturn(return_id=name, amount=amount) for name, amount in others)
    answer = {"payment_id": "o-1", "return_id": "hold#rest", "returned": True, **more}
    books.do(RecordReturn(**answer, others=listed))
    return [event for event in books.events(PaymentUnmatched) if isinstance(event, PaymentUnmatched)]


@pytest.mark.parametrize("more", [{}, {"returned": False, "reason": "422"}])
def test_what_nobody_asked_for_waits_for_a_person_beside_the_answer(more: dict[str, Any]):
    books = returning()

    (item,) = record_return(books, ("chargeback", minor(500)), **more)

    assert (item.reason, item.channel_ref, item.amount, item.postings) == (UNASKED_RETURN, "chargeback", minor(500), ())
    books.do(SettlePayment(payment_id="o-1", item=item.item, note="booked by hand"))
    assert books.events(UnmatchedSettled)
    assert len(record_return(books, ("chargeback", minor(500)), **more)) == 1


def test_our_return_paid_twice_waits_for_a_person_and_paid_once_does_not():
    books = returning()
    assert record_return(books) == []
    assert books.events(PaymentReturned)

    other = {"return_id": "r-2"}
    assert record_return(books, ("hold#rest", minor(500)), **other) == []
    assert len(record_return(books, ("hold#rest", minor(500)), ("hold#rest", minor(500)), **other)) == 1


def test_a_return_that_failed_in_the_books_and_was_paid_waits_for_a_person():
    books = returning()
    record_return(books, returned=False, reason="unknown")

    (item,) = record_return(books, ("hold#rest", minor(500)), return_id="r-2")

    assert item.channel_ref == "hold#rest"


def test_what_was_paid_back_otherwise_is_known_by_what_was_paid():
    books = returning()
    record_return(books, returned=False, paid=minor(499), reason="another amount")

    assert record_return(books, ("hold#rest", minor(499)), return_id="r-2") == []
    assert len(record_return(books, ("hold#rest", minor(500)), return_id="r-2")) == 1
