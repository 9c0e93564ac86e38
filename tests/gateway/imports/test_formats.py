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
    "code",
    [
        "0!.00", "#!.00", "!50.00", '0!.0,"万"', "^0.00", "0.00^", "0&0", "0~", "'0", "{0}", "0=", "<0", "+0", "0:0",
        '"-"0', "\\-0", '"("0")"', "0-", "*00", "0*-", "[$9-409]0", "[$.]0", "[ENG]0", "[NatNum1]0", "0E+00", "# ?/?",
        "# ##0", '0" "0', "0\u200b", "0k", '"0', "[Blue", '"9"@', "0@", "0;0;0;0;0", '0;"9"', f"{'0' * 256}",
        '[<9]0.00;"1"0', "[<9]-0;0", "0.00\\", "0\u30000", "0\u202f0", "0千", "0万元", "[$/-280A]0",
        "[$5/-280A]0", "[$S/5-280A]0", "[$€-x-2]0", "[$€-x-]0", "[红]9", "[红色红色]0", "[$千-804]0",
        "!元0", "0(元)", '0"元/10"',
    ],
)  # fmt: skip
def test_what_is_not_understood_in_a_format_makes_the_amount_and_the_code_uncertain(code: str) -> None:
    number = format_of("164", {"164": code}).of(4850)
    with pytest.raises(RowError, match="another amount"):
        product(price=number)
    if not set(code) & set('-+(:"\\'):
        with pytest.raises(RowError, match="other digits"):
            key(key=number)


@pytest.mark.parametrize(
    "code", [code for code in map(chr, range(33, 0x250)) if code not in "\u00a0$£¥0#?.,;dmyhsDMYHS"]
)
def test_no_bare_character_passes_beside_an_amount(code: str) -> None:
    for written in (f"0{code}", f"{code}0"):
        number = format_of("164", {"164": written}).of(4850)
        with pytest.raises(RowError, match=r"price|currency"):
            product(price=number)


@pytest.mark.parametrize("code", ["0;-0;", '0;-0;"9"', '0;-0;"free"', "0;-0;0%"])
def test_a_zero_is_what_its_own_section_shows(code: str) -> None:
    shown = format_of("164", {"164": code})
    assert product(cost=shown.of(5)).cost == Money(amount=500)
    assert key(batch=shown.of(5)).lot.batch == "5"
    for field in ("batch", "cost"):
        with pytest.raises(RowError, match=field):
            key(**{field: shown.of(0)})


def test_a_zero_of_bookkeeping_is_a_dash() -> None:
    for number in ("41", "42", "43", "44"):
        assert product(cost=format_of(number, {}).of(0), currency="USD").cost == Money(amount=0, currency="USD")


@pytest.mark.parametrize("number", ["67", "70", "none"])
def test_a_format_that_the_standard_does_not_know_shows_no_certain_amount(number: str) -> None:
    with pytest.raises(RowError, match="another amount"):
        product(price=format_of(number, {}).of(0.05))


def test_a_number_of_pieces_is_shown_with_a_word_for_pieces_or_none() -> None:
    assert product(per_order_limit=format_of("164", {"164": '0" 件"'}).of(5)).per_order_limit == 5
    for piece in "件个個张張份枚套盒条條次组組只隻台臺部瓶本":
        for code in (f"0{piece}", f'0"{piece}"', f"0\u3000{piece}", f"[${piece}]0"):
            assert product(per_order_limit=format_of("164", {"164": code}).of(5)).per_order_limit == 5
    for code in ('0"k"', '0"打"', "$0", "0日", "0元", '0"件."', '0"件/盒"'):
        with pytest.raises(RowError, match="something else than pieces"):
            product(per_order_limit=format_of("164", {"164": code}).of(5))


def test_a_blank_within_a_code_is_not_certain() -> None:
    with pytest.raises(RowError, match="other digits"):
        key(key=format_of("164", {"164": "000_-000"}).of(123456))
    assert key(key=format_of("164", {"164": "_-000000_-"}).of(123456)).plain == "123456"


@pytest.mark.parametrize(
    "code",
    [
        "0",
        "#,##0",
        "#,##0.00_);(#,##0.00)",
        "[$¥-804]#,##0.00;-0",
        '_ * #,##0.00_ ;_ * "-"??_ ',
        "[DBNum1]0",
        "[红色]0.00",
        "0.00;[紅色]-0.00",
        "[颜色10]0.00",
        "[洋红]0",
        "[蓝色][$¥-804]0.00",
        "[青色]0",
        "[黑色]0",
        "[白色]0",
        "[绿色]0",
        "[黄色]0",
        "0.00\u3000",
        "\u202f0.00\u202f",
    ],
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
        ('0.00\u00a0"€"', "EUR"), ("[$¥-zh-CN]0.00", "CNY"),
        ("[$€-x-euro2]\\ #,##0.00", "EUR"), ("#,##0.00\\ [$€-x-euro1]", "EUR"), ("[$S/.-280A]\\ #,##0.00", "PEN"),
        ("[$S/-280A]#,##0.00", "PEN"), ('"S/." 0.00', "PEN"), ("[$kr.-406]\\ #,##0.00", "DKK"),
        ("[$R$-416]\\ #,##0.00", "BRL"), ("#,##0.00\\ [$р.-419]", "RUB"), ("#,##0.00元", "CNY"), ("0.00美元", "USD"),
        ("0.00\u202f€", "EUR"), ("0.00\u3000元", "CNY"), ("人民币0.00", "CNY"),
        ('_ ¥* #,##0.00_ ;_ ¥* \\-#,##0.00_ ;_ ¥* "-"??_ ;_ @_ ', "CNY"),
    ],
)  # fmt: skip
def test_an_amount_is_in_the_currency_that_is_shown_with_it(code: str, currency: str) -> None:
    number = format_of("164", {"164": code}).of(48.5)
    assert product(price=number, currency=currency).price == Money(amount=4850, currency=currency)
    with pytest.raises(RowError, match="something else than THB"):
        product(price=number, currency="THB")


@pytest.mark.parametrize(
    "code",
    [
        '0.00 "kr"', '0.00" apiece"', "[$zł-415]0.00", "[$₿]0.00", "0.00圆元", "0.00件", "[$元/件]0.00", '"元."0.00',
    ],
)  # fmt: skip
def test_an_amount_with_a_word_that_is_no_name_of_its_currency_is_refused(code: str) -> None:
    with pytest.raises(RowError, match="something else than CNY"):
        product(price=format_of("164", {"164": code}).of(48.5))


@pytest.mark.parametrize(
    ("code", "is_whole"),
    [
        ("yyyy-mm-dd", True), ("d/m/yy h:mm", True), ('yyyy"年"m"月"d"日"', True), ("[$-F800]dddd, mmmm dd, yy", True),
        ("[$-411]ge.m.d", True), ("yyyy\\-mm\\-dd;@", True), ("[$-1010409]d. mmmm yyyy", True), ("yyyy年m月d日", True),
        ('[$-419]d mmmm yyyy "г."', True), ('d "de" mmmm "de" yyyy', True), ("yyyy-mm-ddThh:mm:ss.000 AM/PM", True),
        ('aaaa yyyy"년" m"월" d"일"', True), ("[Red]yyyy/m/d_)", True), ("[<0]yyyy-mm-dd;\"2040-01-01\"", False),
        ('"2031-01-05 "yyyy-mm-dd', False), ("\\2yyyy-mm-dd", False), ('yyyy-mm-dd"x"', False), ("yyyy-mm-dd0", False),
        ("[$2031-]yyyy-mm-dd", False), ("[$-107041E]d mmmm yyyy", False), ("B2yyyy-mm-dd", False),
        ("yyyy-mm-dd*1", False), ("yyyy-mmmmm-dd", False), ("yyyy-dd hh:mm", False), ("yyyy dd mm:ss", False),
        ("dddd mm yyyy", False), ("yyyy-mm-dd^", False), ("mmm-yy", False), ("d-mmm", False),
        ("yyyy/m/d(aaa)", True), ('yyyy"年"m"月"d"日"\\(aaa\\)', True), ("dd\\ mmm\\ yyyy\\ \\(ddd\\)", True),
        ("yyyy/m/d（aaa）", True), ("[ENG][$-409]d/mmm/yyyy;@", True), ("[ENG]yyyy/m/d", True),
        ('yyyy-mm-dd"T"hh:mm:ss"Z"', True), ("yyyy\u3000m\u3000d", True), ("d\u202fmmmm\u202fyyyy", True),
        ('yyyy"年"\u3000m"月"d"日"', True), ("[红色]yyyy/m/d", True), ('yyyy/m/d("2")', False), ("yyyy/m/d(0)", False),
        ("[ENG]d/mmm", False), ("[ENG5]yyyy/m/d", False), ('yyyy/m/d"ZZ"', False),
        ("yyyy ddd mmm", False), ('mmm yy "d"', False),
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


@pytest.mark.parametrize(
    "code",
    [
        "General", "@", "0.00", "yyyy-mm-dd;@", "0;-0;@", "0;-0;0;@", "0;-0;0;General", "0;;", "0!.00",
        '_(* #,##0_);_(* "-"_);_(@_)', "[Red]@", "[$-804]@", '"x"0',
    ],
)  # fmt: skip
def test_a_text_is_as_it_is_shown(code: str) -> None:
    assert not format_of("164", {"164": code}).is_other_text


@pytest.mark.parametrize(
    "code",
    [
        '"STEAM-"@', '0;0;0;"PRE-"@', '"9"@', ";;;", "0;0;0;", '0;0;0;"x"', "@@", "@\\-A", "@-", "*9@", "[$9]@",
        "[>0]@", "yyyy-mm-dd;;;", 'yyyy-mm-dd;"9"@', '0!;0;0;"x"', "0;0;0;@;@", "[DBNum9]@", "@x", "0@",
    ],
)  # fmt: skip
def test_a_text_that_may_be_shown_otherwise_is_known(code: str) -> None:
    assert format_of("164", {"164": code}).is_other_text
