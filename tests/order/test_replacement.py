from __future__ import annotations

import pytest

from shared.contracts import Money, Refused
from shared.contracts.order import (
    RefundApproved,
    RefundOrder,
    ReplaceKey,
    ReplacementConfirmed,
    ReplacementFailed,
    ReplacementRequested,
)
from tests.amounts import yuan
from tests.order.builders import (
    NOW,
    TIME_LIMITS,
    Life,
    completed,
    confirmed,
    delivered,
    failed,
    names,
    reserved,
    short,
    wish,
)


def replace(number: int, line: int = 1) -> ReplaceKey:
    return ReplaceKey(order_id="o1", line=line, number=number, reason="already used")


def refusal(life: Life, command: ReplaceKey | RefundOrder) -> Refused:
    with pytest.raises(Refused) as refused:
        life.send(command)
    return refused.value


def test_a_replacement_is_a_free_line_of_one_key():
    life = completed()
    (requested,) = life.send(replace(8))
    assert isinstance(requested, ReplacementRequested)
    assert (requested.replaces, requested.number, requested.reserved_until) == (1, 8, NOW + TIME_LIMITS.reserve_for)
    line = requested.line
    assert (line.line, line.sku, line.quantity, line.unit_price, line.amount) == (2, "card", 1, yuan(0), yuan(0))
    assert life.answer == {"line": 2}


def test_a_reserved_replacement_is_confirmed_once_and_delivered_without_completing_again():
    life = completed().all(replace(8))
    events = life.send(reserved(2))
    assert names(events) == ["ReservationRecorded", "ReplacementConfirmed"]
    assert isinstance(events[1], ReplacementConfirmed)
    assert events[1].buyer_key == "pk"
    assert life.send(reserved(2)) == []
    assert life.send(short(2)) == []
    assert names(life.send(delivered(2, (12,)))) == ["DeliveryRecorded"]
    assert life.send(delivered(2, (12,))) == []


@pytest.mark.parametrize("answers", [[short(2)], [reserved(2), failed(2)]])
def test_a_replacement_that_can_not_be_had_is_refunded(answers):
    life = completed().all(replace(8), *answers)
    failure, approval = life.history[-2:]
    assert isinstance(failure, ReplacementFailed)
    assert isinstance(approval, RefundApproved)
    assert (failure.line, approval.refund_id, approval.amount) == (2, "replacement/2", yuan(10))
    assert life.send(answers[-1]) == []


def refund(refund_id: str, fen: int | None = None, line: int | None = None, number: int | None = None) -> RefundOrder:
    amount = None if fen is None else Money(amount=fen)
    return RefundOrder(order_id="o1", refund_id=refund_id, amount=amount, line=line, number=number, reason="sorry")


def approved(life: Life) -> int:
    return sum(event.amount.amount for event in life.history if isinstance(event, RefundApproved))


def test_what_is_replaced_is_not_refunded_besides():
    life = completed().all(replace(8), refund("r1"))
    assert approved(life) == 2_000
    assert refusal(life, refund("r2", 1)).code == "nothing-left"
    life.all(short(2))
    assert approved(life) == 3_000


def test_what_is_refunded_is_not_replaced_besides():
    life = completed().all(refund("r1", 2_999))
    for number in (7, 8, 9):
        assert refusal(life, replace(number)).code == "nothing-left"
    life = completed().all(refund("r1", 1_000), replace(7), replace(8))
    assert refusal(life, replace(9)).code == "nothing-left"


def test_a_key_is_refunded_by_its_name_once_and_replaced_no_more():
    life = completed().all(refund("r1", line=1, number=8))
    assert approved(life) == 1_000
    assert refusal(life, replace(8)).code == "already-refunded"
    assert refusal(life, refund("r2", line=1, number=8)).code == "already-refunded"
    life.all(replace(7), refund("r3"))
    assert approved(life) == 2_000


def test_a_replacement_that_does_not_work_either_is_refunded_in_place_of_both():
    life = completed().all(replace(8))
    assert refusal(life, refund("r1", line=1, number=8)).code == "replacement-under-way"
    life.all(reserved(2), delivered(2, (12,)), refund("r1", line=2, number=12))
    assert approved(life) == 1_000
    for command in (replace(12, line=2), refund("r2", line=1, number=8), refund("r3", line=2, number=12)):
        assert refusal(life, command).code in ("already-refunded", "already-replaced")
    life.all(refund("r4"))
    assert approved(life) == 3_000


def test_a_key_that_was_replaced_is_refunded_by_its_own_name_in_place_of_its_replacement():
    life = completed().all(replace(8), reserved(2), delivered(2, (12,)), refund("r1", line=1, number=8))
    assert approved(life) == 1_000
    for command in (replace(12, line=2), refund("r2", line=2, number=12), refund("r3", line=1, number=8)):
        assert refusal(life, command).code == "already-refunded"
    life.all(refund("r4"))
    assert approved(life) == 3_000


def test_a_key_is_refunded_by_its_name_as_far_as_refunds_by_amount_have_left_its_price():
    life = completed().all(refund("r1", 1_400), refund("r2", line=1, number=8))
    refused = refusal(life, refund("r3", 1_000, line=1, number=7))
    assert (refused.code, refused.facts) == ("more-than-left", {"left": 600, "currency": "CNY"})
    assert refusal(life, refund("r3", 599, line=1, number=7)).code == "wrong-amount"
    life.all(refund("r3", line=1, number=7))
    assert life.answer == {"refund_id": "r3", "amount": 600, "currency": "CNY"}
    assert approved(life) == 3_000
    assert refusal(life, refund("r4", line=1, number=9)).code == "nothing-left"
    for command in (refund("r4", line=1, number=7), replace(7)):
        assert refusal(life, command).code == "already-refunded"
    assert life.send(refund("r3", line=1, number=7)) == []


def test_what_is_left_of_a_key_may_be_named_as_its_amount():
    life = completed().all(refund("r1", 2_400), refund("r2", 600, line=1, number=8))
    assert approved(life) == 3_000


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (refund("r1", line=1, number=6), "unknown-key"),
        (refund("r1", line=1), "unknown-key"),
        (refund("r1", number=8), "unknown-key"),
        (refund("r1", 999, line=1, number=8), "wrong-amount"),
    ],
)
def test_only_the_price_of_a_delivered_key_is_refunded_by_its_name(command: RefundOrder, code: str):
    assert refusal(completed(), command).code == code


def test_a_replacement_may_be_replaced_at_the_price_once_paid():
    life = completed().all(replace(8), reserved(2), delivered(2, (12,)), replace(12, line=2), short(3))
    approval = life.history[-1]
    assert isinstance(approval, RefundApproved)
    assert (approval.refund_id, approval.amount) == ("replacement/3", yuan(10))


def test_a_key_is_replaced_once():
    life = completed().all(replace(8))
    assert refusal(life, replace(8)).code == "already-replaced"
    assert names(life.send(replace(9))) == ["ReplacementRequested"]


@pytest.mark.parametrize(("number", "line"), [(6, 1), (7, 2), (7, 0), (7, -1)])
def test_only_delivered_keys_are_replaced(number, line):
    refused = refusal(completed(), replace(number, line))
    assert (refused.code, refused.status) == ("unknown-key", 404)


def test_lines_without_keys_or_without_success_are_not_replaced():
    life = confirmed(wish("topup", target="1"), wish("card")).all(delivered(1), failed(2))
    assert refusal(life, replace(1, line=1)).code == "unknown-key"
    assert refusal(life, replace(1, line=2)).code == "unknown-key"


def test_only_completed_orders_that_were_not_refunded_have_keys_replaced():
    assert refusal(Life(), replace(8)).code == "unknown-order"
    assert refusal(confirmed(), replace(8)).code == "not-completed"
    life = completed().all(RefundOrder(order_id="o1", refund_id="r1", reason="sorry"))
    assert refusal(life, replace(8)).code == "nothing-left"
