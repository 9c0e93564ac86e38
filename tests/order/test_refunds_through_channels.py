"""A refund through a channel is one when the channel says so, and is asked for again when it failed."""

from __future__ import annotations

import pytest

from services.order.reactions import REACTIONS
from shared.contracts import Money, Refused
from shared.contracts.ledger import FundsRefunded, PaymentReturned, Posting, ReturnFailed, UnmatchedSettled
from shared.contracts.order import (
    DifferenceEnd,
    PaymentDifferenceSettled,
    RecordDifferenceSettled,
    RecordOtherPayment,
    RecordRefund,
    RecordRefundFailure,
    RefundFailed,
    RefundOrder,
    RefundRecorded,
    RefundRetried,
    RepaymentDelayed,
    RepaymentEnded,
    ReplaceKey,
)
from tests.amounts import yuan
from tests.order.builders import Life, completed, delivered, names, reserved, short

POSTINGS = (Posting(account="a:b", amount=yuan(10)), Posting(account="c:d", amount=yuan(-10)))


def refund(refund_id: str, amount: Money | None = None, **key: int) -> RefundOrder:
    return RefundOrder(order_id="o1", refund_id=refund_id, amount=amount, reason="asked", **key)


def failure(refund_id: str) -> RecordRefundFailure:
    return RecordRefundFailure(order_id="o1", refund_id=refund_id, reason="no money")


def back(refund_id: str, amount: Money) -> RecordRefund:
    return RecordRefund(order_id="o1", refund_id=refund_id, amount=amount)


def a_failed_refund() -> Life:
    return completed().all(refund("r-1"), failure("r-1"))


def test_the_ledgers_refund_is_back_at_once_in_a_wallet_only():
    def refunded(account: str) -> FundsRefunded:
        return FundsRefunded(order_id="o1", refund_id="r-1", account=account, amount=yuan(10), postings=POSTINGS)

    assert REACTIONS[FundsRefunded](refunded("wallet:ann")) == [back("r-1", yuan(10))]
    assert REACTIONS[FundsRefunded](refunded("order:o1")) == []


def test_a_refund_through_a_channel_is_what_the_channel_says():
    returned = PaymentReturned(payment_id="o1", return_id="r-1", amount=yuan(10), postings=POSTINGS)
    failed = ReturnFailed(payment_id="o1", return_id="r-1", amount=yuan(10), reason="no money")

    assert REACTIONS[PaymentReturned](returned) == [back("r-1", yuan(10))]
    command = failure("r-1").model_copy(update={"amount": yuan(10)})
    assert REACTIONS[ReturnFailed](failed) == [command]
    other = failed.model_copy(update={"account": "suspense:wechat"})
    assert REACTIONS[ReturnFailed](other) == [command]


def test_a_failed_refund_is_recorded_once_and_is_not_refunded():
    life = completed().all(refund("r-1"))

    (event,) = life.send(failure("r-1"))

    assert isinstance(event, RefundFailed)
    assert (event.amount, event.email) == (life.order.delivered, "ann@example.org")
    assert life.send(failure("r-1")) == []
    assert life.send(failure("unknown")) == []


def test_a_refund_of_all_that_is_left_tries_a_failed_one_again():
    life = a_failed_refund()

    (again,) = life.send(refund("r-2"))

    assert isinstance(again, RefundRetried)
    assert (again.refund_id, life.answer["refund_id"]) == ("r-1", "r-1")
    (done,) = life.send(back("r-1", again.amount))
    assert isinstance(done, RefundRecorded)
    assert done.full
    with pytest.raises(Refused, match="nothing-left"):
        life.send(refund("r-3"))


def test_what_is_left_and_what_failed_go_back_together():
    life = completed().all(refund("r-1", Money(amount=100)), failure("r-1"))

    assert names(life.send(refund("r-2"))) == ["RefundApproved", "RefundRetried"]


def test_an_amount_that_is_left_is_another_refund():
    life = completed().all(refund("r-1", Money(amount=100)), failure("r-1"))

    assert names(life.send(refund("r-2", Money(amount=100)))) == ["RefundApproved"]


def test_an_amount_that_is_no_longer_left_is_the_one_that_failed():
    life = a_failed_refund()
    whole = life.order.delivered

    (event,) = life.send(refund("r-2", whole))

    assert isinstance(event, RefundRetried)
    with pytest.raises(Refused):
        a_failed_refund().send(refund("r-2", Money(amount=whole.amount - 1)))


def test_a_failed_refund_of_a_key_is_tried_again_by_the_name_of_the_key():
    life = completed().all(refund("r-1", line=1, number=8), failure("r-1"))
    left = life.order.refundable

    for amount in (None, yuan(10)):
        (again,) = life.send(refund("r-2", amount, line=1, number=8))
        assert isinstance(again, RefundRetried)
        assert (again.refund_id, life.answer["refund_id"], life.order.refundable) == ("r-1", "r-1", left)
        life.all(failure("r-1"))
    life.all(refund("r-3", line=1, number=8), back("r-1", yuan(10)))
    with pytest.raises(Refused, match="already-refunded"):
        life.send(refund("r-4", line=1, number=8))


def test_a_key_whose_refund_failed_is_still_not_replaced():
    life = completed().all(refund("r-1", line=1, number=8), failure("r-1"))

    with pytest.raises(Refused, match="already-refunded"):
        life.send(ReplaceKey(order_id="o1", line=1, number=8, reason="used"))


def test_a_failed_refund_in_place_of_a_replacement_is_tried_again_and_what_was_replaced_is_not_left():
    def replaced(number: int) -> ReplaceKey:
        return ReplaceKey(order_id="o1", line=1, number=number, reason="used")

    life = completed().all(replaced(7), short(2), failure("replacement/2"))
    life.all(replaced(8), reserved(3), delivered(3, (12,)))
    assert life.order.refundable == yuan(10)

    assert names(life.send(refund("r-1"))) == ["RefundApproved", "RefundRetried"]

    life.all(failure("replacement/2"))
    (again,) = life.send(refund("r-2", line=1, number=7))
    assert isinstance(again, RefundRetried)
    assert (again.refund_id, life.order.refundable) == ("replacement/2", yuan(0))


def not_returned(return_id: str) -> RecordRefundFailure:
    return RecordRefundFailure(order_id="o1", refund_id=return_id, reason="422", amount=yuan(10))


def test_money_that_no_refund_is_about_and_that_did_not_go_back_is_recorded_once_until_it_is_back():
    life = completed()

    (delayed,) = life.send(not_returned("hold#rest"))
    assert isinstance(delayed, RepaymentDelayed)
    assert (delayed.return_id, delayed.amount, delayed.email) == ("hold#rest", yuan(10), "ann@example.org")
    assert life.send(not_returned("hold#rest")) == []
    assert names(life.send(not_returned("unmatched:i-1"))) == ["RepaymentDelayed"]

    (ended,) = life.send(back("hold#rest", yuan(10)))
    assert isinstance(ended, RepaymentEnded)
    assert (ended.returned, ended.waiting, ended.amount) == (True, 1, yuan(10))
    assert life.send(back("hold#rest", yuan(10))) == []
    assert names(life.send(not_returned("hold#rest"))) == ["RepaymentDelayed"]


def test_money_that_a_person_found_another_use_for_waits_no_longer():
    settled = UnmatchedSettled(
        payment_id="o1", item="i-1", how="matched", amount=yuan(10), note="n", order_id="o1", postings=()
    )
    drop, _ = REACTIONS[UnmatchedSettled](settled)
    life = completed().all(not_returned("unmatched:i-1"))

    (ended,) = life.send(drop)

    assert isinstance(ended, RepaymentEnded)
    assert (ended.returned, ended.waiting) == (False, 0)
    assert life.send(drop) == []
    assert list(REACTIONS[UnmatchedSettled](settled.model_copy(update={"order_id": None}))) == []


def test_a_failed_return_of_what_is_no_order_or_was_sent_by_an_older_version_is_nothing():
    assert Life().send(not_returned("hold#rest")) == []
    assert completed().send(failure("hold#rest")) == []


def test_a_buyer_whose_payment_does_not_fit_hears_of_it():
    command = RecordOtherPayment(order_id="o1", item="i", amount=yuan(9), expected=yuan(10), reason="amount-mismatch")
    life = completed()

    assert names(life.send(command)) == ["PaymentDiffers"]
    assert life.send(command) == []
    assert Life().send(command) == []


def test_a_buyer_who_heard_of_other_money_hears_where_it_went_once():
    life = completed()
    for item in ("i", "j"):
        life.send(RecordOtherPayment(order_id="o1", item=item, amount=yuan(9), expected=yuan(10), reason="paid-twice"))
    settled = RecordDifferenceSettled(order_id="o1", item="i", how="returned")

    (first,) = life.send(settled)
    assert isinstance(first, PaymentDifferenceSettled)
    assert (first.how, first.amount, first.waiting) == ("returned", yuan(9), 1)
    assert life.send(settled) == []
    (last,) = life.send(settled.model_copy(update={"item": "j"}))
    assert isinstance(last, PaymentDifferenceSettled)
    assert last.waiting == 0


@pytest.mark.parametrize(
    ("how", "account", "end"),
    [
        ("matched", None, "matched"),
        ("matched", "wallet:c1", "wallet"),
        ("returned", None, "returned"),
        ("by-hand", "by-hand:alipay", "by-hand"),
        ("corrected", "channel:alipay", "corrected"),
    ],
)
def test_how_other_money_was_settled_says_where_it_went(how: str, account: str | None, end: DifferenceEnd):
    sides = (("suspense:alipay", yuan(9)), (account, -yuan(9)))
    moved = tuple(Posting(account=side, amount=amount) for side, amount in sides if side)
    settled = UnmatchedSettled(
        payment_id="o1", item="i", how=how, amount=yuan(9), note="", order_id="o1", postings=moved if account else ()
    )
    *_, command = REACTIONS[UnmatchedSettled](settled)
    assert command == RecordDifferenceSettled(order_id="o1", item="i", how=end)
