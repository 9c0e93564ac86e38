"""Number formats: what a sheet shows of a number is the amount or the day that is loaded, or the row is refused."""

from __future__ import annotations

from datetime import date

import pytest

from services.gateway.imports.cells import RowError
from services.gateway.imports.formats import format_of
from services.gateway.imports.model import Moment
from shared.contracts import Money
from tests.gateway.imports.test_rows import key, product


@pytest.mark.parametrize(
    "code", ["0%", "0.00%", "0,", "#,##0.0,,", '0"万"', '"1"0', "\\90", "-0", "(0)", ";;;", "0;0%", "0\\.00", '0","0']
)
def test_a_number_that_is_shown_as_another_amount_is_no_amount(code: str) -> None:
    number = format_of("164", {"164": code}).of(5)
    for field in ("price", "cost", "per_order_limit"):
        with pytest.raises(RowError, match="another amount"):
            product(**{field: number})


@pytest.mark.parametrize(
    "code", ["0", "#,##0", "#,##0.00_);(#,##0.00)", "[$¥-804]#,##0.00;-0", '_ * #,##0.00_ ;_ * "-"??_ ', "[DBNum1]0"]
)
def test_a_number_that_is_shown_with_its_currency_or_thousands_is_an_amount(code: str) -> None:
    assert product(price=format_of("164", {"164": code}).of(5)).price.amount == 500


@pytest.mark.parametrize("code", ["0", "#,##0", "0.0", '"¥"0', "[>=100]0.00;0", "[$¥-804]0.0;-0.00"])
def test_an_amount_that_is_shown_rounded_is_no_amount(code: str) -> None:
    with pytest.raises(RowError, match="another amount"):
        product(price=format_of("164", {"164": code}).of(48.55))


def test_decimals_that_a_number_has_only_by_how_it_is_stored_are_not_missed() -> None:
    assert product(price=format_of("164", {"164": "0.0"}).of(0.1 + 0.2)).price.amount == 30
    assert product(price=format_of("164", {"164": '#,##0.00_);* "-"??_ '}).of(48.55)).price.amount == 4855


@pytest.mark.parametrize(
    ("code", "currency"),
    [
        ("[$$-409]#,##0.00", "USD"), ("0.00\\ [$€-407]", "EUR"), ('"US$"0.00', "USD"), ("[$HK$-C04]0.00", "HKD"),
        ("£0.00", "GBP"), ('0.00"元"', "CNY"), ('0.00 "eur"', "EUR"), ("¥0.00", "CNY"),
    ],
)  # fmt: skip
def test_an_amount_is_in_the_currency_that_is_shown_with_it(code: str, currency: str) -> None:
    number = format_of("164", {"164": code}).of(48.5)
    assert product(price=number, currency=currency).price == Money(amount=4850, currency=currency)
    with pytest.raises(RowError, match="something else than THB"):
        product(price=number, currency="THB")


@pytest.mark.parametrize("code", ['0.00 "kr"', '0.00" apiece"', "[$zł-415]0.00", "[$₿]0.00"])
def test_an_amount_with_a_word_that_is_no_name_of_its_currency_is_refused(code: str) -> None:
    with pytest.raises(RowError, match="something else than CNY"):
        product(price=format_of("164", {"164": code}).of(48.5))


@pytest.mark.parametrize(
    ("code", "is_whole"),
    [
        ("yyyy-mm-dd", True), ("d/m/yy h:mm", True), ('yyyy"年"m"月"d"日"', True), ("[$-F800]dddd, mmmm dd, yy", True),
        ("[$-411]ge.m.d", True), ("mmm-yy", False), ("d-mmm", False), ("yyyy ddd mmm", False), ('mmm yy "d"', False),
    ],
)  # fmt: skip
def test_only_a_date_that_is_shown_whole_is_a_date(code: str, is_whole: bool) -> None:
    shown = format_of("164", {"164": code})

    assert (shown.is_date, shown.is_whole_day) == (True, is_whole)
    moment = Moment("2027-12-31", is_whole)
    if is_whole:
        assert key(expires=moment).lot.expires == date(2027, 12, 31)
    else:
        with pytest.raises(RowError, match="no whole date"):
            key(expires=moment)
