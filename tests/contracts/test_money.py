"""Laws of money."""

from __future__ import annotations

import operator
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.contracts import CurrencyMismatch, Money, zero
from shared.contracts.base import MAX_MINOR_UNITS

amounts = st.integers(-(10**12), 10**12).map(lambda amount: Money(amount=amount))


@given(amounts, amounts, amounts)
def test_sums(a: Money, b: Money, c: Money) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + zero() == a
    assert a - b == a + -b
    assert (a - b) + b == a
    negative = -a
    assert -negative == a
    assert a - a == zero()


@given(amounts, st.integers(-100, 100), st.integers(-100, 100))
def test_multiples(a: Money, m: int, n: int) -> None:
    assert a * m + a * n == a * (m + n)
    assert a * 1 == a
    assert a * 3 == a + a + a


@given(amounts, amounts)
def test_order_is_the_order_of_amounts(a: Money, b: Money) -> None:
    assert (a < b, a <= b, a > b, a >= b) == (
        a.amount < b.amount, a.amount <= b.amount, a.amount > b.amount, a.amount >= b.amount
    )  # fmt: skip


@given(st.integers(0, 10**12).map(lambda amount: Money(amount=amount)), st.integers(0, 10_000))
def test_a_share_is_never_more_than_its_part_and_less_than_a_unit_below(a: Money, points: int) -> None:
    share = a.share(points)
    assert share.amount * 10_000 <= a.amount * points < (share.amount + 1) * 10_000
    assert zero() <= share <= a
    assert a.share(10_000) == a
    assert a.share(0) == zero()


@pytest.mark.parametrize("operation", [operator.add, operator.sub, operator.lt, operator.le, operator.gt, operator.ge])
def test_currencies_never_mix(operation: Callable[[Money, Money], object]) -> None:
    with pytest.raises(CurrencyMismatch):
        operation(Money(amount=1), Money(amount=1, currency="USD"))
    assert Money(amount=1) != Money(amount=1, currency="USD")


@pytest.mark.parametrize("amount", [1.0, "1", True, None, MAX_MINOR_UNITS + 1, -MAX_MINOR_UNITS - 1])
def test_an_amount_is_an_integer_within_bounds(amount: object) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate({"amount": amount})


@pytest.mark.parametrize("currency", ["cny", "CN", "CNYY", "", "C1Y", "CNY\n"])
def test_a_currency_is_three_capitals(currency: str) -> None:
    with pytest.raises(ValidationError):
        Money(amount=1, currency=currency)


def test_no_sum_leaves_the_bounds() -> None:
    with pytest.raises(ValidationError):
        operator.add(Money(amount=MAX_MINOR_UNITS), Money(amount=1))


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0.00 CNY"), (5, "0.05 CNY"), (-5, "-0.05 CNY"), (12345, "123.45 CNY"), (-100, "-1.00 CNY")],
)
def test_money_as_text(amount: int, text: str) -> None:
    assert str(Money(amount=amount)) == text
