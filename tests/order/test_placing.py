from __future__ import annotations

from datetime import timedelta
from typing import get_args

import pytest
from pydantic import ValidationError

from services.order.domain import Market, Order, decide, evolve
from services.order.domain.quote import quote
from shared.contracts import DecisionContext, Metadata, Money, Refused
from shared.contracts.inventory import Kind, Listing
from shared.contracts.order import OrderPlaced
from tests.amounts import yuan
from tests.order.builders import LISTINGS, NOW, TIME_LIMITS, Life, place, placed, wish


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


@pytest.mark.parametrize("kind", get_args(get_args(Kind)[0]))
def test_what_a_supplier_delivers_needs_a_target_of_whatever_kind_it_is(kind: Kind):
    listing = LISTINGS["topup"].model_copy(update={"kind": kind})
    with pytest.raises(Refused, match="needs the account"):
        quote([wish("topup")], {"topup": listing})
    assert quote([wish("topup", target="a1")], {"topup": listing})[0].target == "a1"


def test_another_total_than_expected_is_refused_with_the_total_of_now():
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
    ("typed", "target"),
    [
        (" 13800138000\u3000", "13800138000"),
        ("+86 138-0013-8000", "13800138000"),
        ("Player\u200bOne", "PlayerOne"),
        ("Player One#1234", "Player One#1234"),
    ],
)
def test_a_target_is_placed_in_its_canonical_form(typed, target):
    life = placed(wish("topup", target=typed))

    assert life.order.lines[0].target == target
    assert life.send(place(wish("topup", target=typed))) == life.send(place(wish("topup", target=target))) == []


@pytest.mark.parametrize("target", ["   ", "\u3164", "\u200b", "138\u202e0013", "a\nb"])
@pytest.mark.parametrize("sku", ["topup", "card"])
def test_a_target_that_names_nothing_is_refused(sku, target):
    with pytest.raises(Refused) as refused:
        Life().send(place(wish(sku, target=target)))
    assert (refused.value.code, refused.value.status) == ("wrong-target", 422)


def test_mail_goes_to_the_canonical_address_or_the_order_is_refused():
    assert placed(email="Ann@B\u00fccher.Example").order.email == "ann@xn--bcher-kva.example"
    with pytest.raises(Refused, match="wrong-email"):
        Life().send(place(email="ann@b..example"))


def test_an_order_that_the_version_before_placed_as_typed_is_still_the_same_order():
    typed = place(wish("topup", target=" 138 0013 8000 "))
    as_typed = (
        placed(typed.wishes[0])
        .history[0]
        .model_copy(update={"fingerprint": "8d2d4ff348815d705f6bb8bce72bc0a45012b8b8ba3e453278aa1fb3862a84d1"})
    )
    life = Life(evolve(Order(), as_typed))

    assert life.send(typed) == []
    assert life.answer["repeated"]


@pytest.mark.parametrize(
    ("payment", "step", "within"),
    [("wallet", "answers", TIME_LIMITS.answer_within), ("wechat", "payment", TIME_LIMITS.pay_within)],
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


def test_what_was_listed_before_in_a_currency_that_is_not_traded_any_more_is_not_sold():
    facts = Market(
        {"dinar": Listing(sku="dinar", name="Dinar card", price=Money(amount=1_500, currency="KWD"))}, TIME_LIMITS
    )
    given = DecisionContext(now=NOW, command_id="c1", meta=Metadata(correlation_id="f", causation_id="f"), facts=facts)
    with pytest.raises(Refused) as no:
        decide(place(wish("dinar")), Order(), given)
    assert (no.value.code, no.value.status) == ("currency-not-traded", 422)


@pytest.mark.parametrize(("cost", "nothing"), [(0, [True, False]), (4, [False, False]), (None, [False, False])])
def test_a_line_from_a_supplier_says_whether_it_is_listed_to_cost_nothing(cost: int | None, nothing: list[bool]):
    listed = None if cost is None else yuan(cost)
    listings = {sku: listing.model_copy(update={"cost": listed}) for sku, listing in LISTINGS.items()}
    life = Life(listings=listings).all(place(wish("topup", target="1"), wish("card")))

    assert [line.costs_nothing for line in life.order.lines] == nothing
