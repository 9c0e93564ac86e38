from __future__ import annotations

import pytest

from shared.contracts import Money, Refused
from shared.contracts.order import RecordRefund, RefundApproved, RefundOrder, RefundRecorded
from tests.amounts import yuan
from tests.order.builders import Life, completed, confirmed, delivered, failed, placed, wish


def refund(refund_id: str, amount: Money | None = None) -> RefundOrder:
    return RefundOrder(order_id="o1", refund_id=refund_id, amount=amount, reason="does not work")


def refusal(life: Life, command: RefundOrder) -> Refused:
    with pytest.raises(Refused) as refused:
        life.send(command)
    return refused.value


def test_a_part_and_then_all_that_is_left():
    life = completed()
    (part,) = life.send(refund("r1", yuan(12)))
    (rest,) = life.send(refund("r2"))
    assert isinstance(part, RefundApproved)
    assert isinstance(rest, RefundApproved)
    assert (part.amount, rest.amount) == (yuan(12), yuan(18))
    assert life.answer == {"refund_id": "r2", "amount": 1800, "currency": "CNY"}
    assert refusal(life, refund("r3")).code == "nothing-left"


def test_what_is_approved_but_not_yet_given_back_counts():
    life = completed().all(refund("r1", yuan(20)))
    refused = refusal(life, refund("r2", yuan(11)))
    assert refused.code == "more-than-left"
    assert refused.facts == {"left": 1000, "currency": "CNY"}


def test_only_what_was_delivered_can_be_refunded():
    life = confirmed(wish("card"), wish("code")).all(failed(1), delivered(2, (4,)))
    (all_of_it,) = life.send(refund("r1"))
    assert isinstance(all_of_it, RefundApproved)
    assert all_of_it.amount == yuan(30)


def test_the_same_refund_is_approved_once():
    life = completed().all(refund("r1", yuan(10)))
    assert life.send(refund("r1", yuan(10))) == []
    assert life.answer["amount"] == 1000
    assert life.send(refund("r1")) == []
    assert refusal(life, refund("r1", yuan(5))).code == "refund-id-taken"


@pytest.mark.parametrize("amount", [yuan(0), Money(amount=-1), Money(amount=1, currency="USD")])
def test_a_refund_is_a_positive_amount_of_the_orders_currency(amount):
    refused = refusal(completed(), refund("r1", amount))
    assert (refused.code, refused.status) == ("wrong-amount", 422)


def test_the_names_of_replacements_refunds_are_taken():
    assert refusal(completed(), refund("replacement/2")).code == "refund-id-taken"


def test_only_completed_orders_are_refunded():
    assert refusal(Life(), refund("r1")).code == "unknown-order"
    assert refusal(placed(), refund("r1")).code == "not-completed"
    assert refusal(confirmed(), refund("r1")).code == "not-completed"
    assert refusal(confirmed().all(failed()), refund("r1")).code == "nothing-left"


def test_what_the_ledger_gave_back_is_recorded_once_and_summed():
    life = completed().all(refund("r1", yuan(10)), refund("r2"))
    (first,) = life.send(RecordRefund(order_id="o1", refund_id="r1", amount=yuan(10)))
    assert life.send(RecordRefund(order_id="o1", refund_id="r1", amount=yuan(10))) == []
    (second,) = life.send(RecordRefund(order_id="o1", refund_id="r2", amount=yuan(20)))
    assert isinstance(first, RefundRecorded)
    assert isinstance(second, RefundRecorded)
    assert (first.refunded, first.full) == (yuan(10), False)
    assert (second.refunded, second.full) == (yuan(30), True)


def test_a_refund_that_was_never_approved_is_not_recorded():
    assert completed().send(RecordRefund(order_id="o1", refund_id="r9", amount=yuan(1))) == []
