from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from shared.contracts import Money, Refused
from shared.contracts.order import OrderPlaced
from tests.order.builders import LIMITS, NOW, Life, place, placed, wish, yuan


def refusal(command) -> Refused:
    life = Life()
    with pytest.raises(Refused) as refused:
        life.send(command)
    assert life.history == []
    return refused.value


def test_an_order_is_priced_by_the_catalogue():
    life = placed(wish("card", 2), wish("topup", 3, target="13800000000"))
    (event,) = life.history
    assert isinstance(event, OrderPlaced)
    assert [(line.line, line.sku, line.quantity, line.amount) for line in event.lines] == [
        (1, "card", 2, yuan(20)),
        (2, "topup", 3, yuan(150)),
    ]
    assert event.lines[1].target == "13800000000"
    assert event.lines[1].suppliers == ("acme",)
    assert event.total == yuan(170)
    assert life.answer["order_id"] == "o1"
    assert life.answer["total"] == 17_000


@pytest.mark.parametrize(("quantity", "price"), [(1, 1000), (4, 1000), (5, 950), (9, 950), (10, 900), (50, 900)])
def test_the_highest_tier_reached_sets_the_price(quantity, price):
    (event,) = placed(wish("card", quantity)).history
    assert isinstance(event, OrderPlaced)
    assert event.lines[0].unit_price == Money(amount=price)
    assert event.total == Money(amount=price * quantity)


def test_wishes_for_one_sku_stay_lines_with_prices_of_their_own():
    (event,) = placed(wish("card", 4), wish("card", 6)).history
    assert isinstance(event, OrderPlaced)
    assert [line.unit_price.amount for line in event.lines] == [1000, 950]


@pytest.mark.parametrize(
    ("command", "code", "status"),
    [
        (place(wish("nothing")), "unknown-sku", 422),
        (place(wish("card"), wish("gone")), "off-sale", 409),
        (place(wish("card", 51)), "over-limit", 422),
        (place(wish("card", 26), wish("card", 25)), "over-limit", 422),
        (place(wish("card"), wish("dollar")), "mixed-currency", 422),
        (place(wish("topup")), "target-needed", 422),
        (place(wish("topup", target="")), "target-needed", 422),
        (place(wish("gift", 5)), "nothing-to-pay", 422),
        (place(payment="wallet", customer=None), "customer-needed", 422),
    ],
)
def test_what_can_not_be_sold_is_refused(command, code, status):
    refused = refusal(command)
    assert (refused.code, refused.status) == (code, status)


def test_another_total_than_expected_is_refused_and_told():
    refused = refusal(place(expected_total=yuan(9)))
    assert (refused.code, refused.status) == ("price-changed", 409)
    assert refused.facts == {"total": 1000, "currency": "CNY"}


def test_the_expected_total_is_accepted():
    assert len(placed(expected_total=yuan(10)).history) == 1


def test_the_same_order_again_changes_nothing():
    life = placed()
    assert life.send(place(email="other@example.org")) == []
    assert life.answer == {"order_id": "o1", "total": 1000, "currency": "CNY", "repeated": True}


@pytest.mark.parametrize(
    "change",
    [{"customer": "bob"}, {"payment": "alipay"}, {"sales_channel": "app"}, {"channel_order_no": "77"}],
)
def test_another_order_under_the_same_number_is_refused(change):
    life = placed()
    with pytest.raises(Refused, match="order-number-taken"):
        life.send(place(**change))
    with pytest.raises(Refused, match="order-number-taken"):
        life.send(place(wish("card", 2)))


@pytest.mark.parametrize(
    ("payment", "step", "within"),
    [("wallet", "answers", LIMITS.answer_within), ("wechat", "payment", LIMITS.pay_within)],
)
def test_an_order_waits_for_its_payment_for_a_bounded_time(payment, step, within):
    (event,) = placed(payment=payment).history
    assert isinstance(event, OrderPlaced)
    assert event.wait is not None
    assert (event.wait.step, event.wait.attempt, event.wait.until) == (step, 1, NOW + within)
    assert event.pay_by == NOW + within
    assert event.reserved_until == NOW + timedelta(hours=1)


@pytest.mark.parametrize("field", ["order_id", "customer", "payment", "agent"])
def test_names_leave_room_for_the_ids_made_of_them(field):
    with pytest.raises(ValidationError, match=field):
        place(**{field: "x" * 61})
