"""Laws of amounts as people write them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import Money
from shared.values.currencies import (
    MINOR_UNITS,
    BadAmount,
    UnknownCurrency,
    digits,
    known,
    minor,
    written,
)

CODES = st.sampled_from(sorted(MINOR_UNITS))
AMOUNTS = st.integers(-(10**15), 10**15)


@given(AMOUNTS, CODES)
def test_what_is_written_reads_back_exactly(amount: int, code: str) -> None:
    text = written(amount, code)
    assert minor(text, code) == amount
    assert Decimal(text) == Decimal(amount).scaleb(-digits(code))
    assert len(text.partition(".")[2]) == digits(code)


@given(st.integers(0, 10**12), st.integers(0, 6), CODES)
def test_a_decimal_is_taken_exactly_or_not_at_all(figures: int, places: int, code: str) -> None:
    text = str(Decimal(figures).scaleb(-places).quantize(Decimal(1).scaleb(-places)))
    exact = Decimal(text).scaleb(digits(code))
    if places == 3 > digits(code) or exact != int(exact):
        with pytest.raises(BadAmount):
            minor(text, code)
    else:
        assert minor(text, code) == exact


@pytest.mark.parametrize(
    ("text", "code", "amount"),
    [
        ("500", "JPY", 500),
        ("1000000.00", "JPY", 1_000_000),
        ("1.500", "KWD", 1_500),
        ("1.5", "KWD", 1_500),
        ("0.0001", "CLF", 1),
        ("48.5", "CNY", 4_850),
        ("-0.05", "CNY", -5),
        ("007.10", "USD", 710),
        ("9999999999999999", "JPY", 9_999_999_999_999_999),
    ],
)
def test_minor_units_are_those_of_the_currency(text: str, code: str, amount: int) -> None:
    assert minor(text, code) == amount


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1.23", "JPY"),
        ("1.500", "JPY"),
        ("1.000", "CNY"),
        ("1.234", "EUR"),
        ("1.2345", "KWD"),
        ("1,000", "CNY"),
        ("1,5", "EUR"),
        ("1.000.000", "CNY"),
        ("1 000", "CNY"),
        ("1'000", "CHF"),
        ("1_000", "CNY"),
        ("1e3", "CNY"),
        ("٤٢", "CNY"),
        ("１２", "CNY"),
        (".5", "CNY"),
        ("5.", "CNY"),
        ("--5", "CNY"),
        ("¥5", "CNY"),
        ("NaN", "CNY"),
        ("Infinity", "CNY"),
        ("", "CNY"),
        ("5\n", "CNY"),
        ("99999999999999999", "CNY"),
    ],
)
def test_what_is_not_one_certain_amount_is_refused(text: str, code: str) -> None:
    with pytest.raises(BadAmount):
        minor(text, code)


@pytest.mark.parametrize("code", ["XYZ", "XAU", "XXX", "XTS", "cny", "CNY ", "", "RMB", "HRK"])
def test_what_nothing_is_sold_for_is_no_currency(code: str) -> None:
    for use in (known, digits, lambda code: minor("1", code)):
        with pytest.raises(UnknownCurrency):
            use(code)


def test_money_reads_as_its_currency_is_written() -> None:
    shown = {code: str(Money(amount=1_234, currency=code)) for code in ("CNY", "JPY", "KWD", "UYW")}
    assert shown == {"CNY": "12.34 CNY", "JPY": "1234 JPY", "KWD": "1.234 KWD", "UYW": "0.1234 UYW"}
    assert str(Money(amount=-5)) == "-0.05 CNY"


@pytest.mark.parametrize("code", ["XYZ", "XXX", "HRK"])
def test_how_many_decimals_a_code_has_that_is_none_is_not_guessed(code: str) -> None:
    """Made up by a partner, for no currency, or stored when it was still a currency."""
    assert str(Money(amount=4_850, currency=code)) == f"4850 {code} (最小单位 minor units)"
    assert str(Money(amount=-5, currency=code)) == f"-5 {code} (最小单位 minor units)"
