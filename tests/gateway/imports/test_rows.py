"""From rows to listings and keys: exact values, and errors that name the field."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.imports import cells
from services.gateway.imports.cells import RowError
from services.gateway.imports.columns import KEY_FIELDS, PRODUCT_FIELDS, Columns, match
from services.gateway.imports.formats import format_of
from services.gateway.imports.hash_set import HashSet
from services.gateway.imports.keys import Lot, Lots, ParsedKey, parse_key
from services.gateway.imports.model import BadFile, Flag, Moment, Number, SheetRow, Value
from services.gateway.imports.products import ProductRow, parse_product
from services.gateway.imports.templates import TemplateKind, template_xlsx
from shared.contracts import Money
from shared.contracts.inventory import Listing, Tier
from tests.gateway.imports.builders import SEALING, read_rows


def said(**fields: Value) -> ProductRow:
    given = {"sku": "A-1", "name": "Card", "price": "48.50"} | fields
    return parse_product(SheetRow(2, given), match(list(given), PRODUCT_FIELDS))


def product(**fields: Value) -> Listing:
    return said(**fields).listing


def key(**fields: Value) -> ParsedKey:
    given = {"sku": "A-1", "key": "DEMO-1"} | fields
    return parse_key(SheetRow(2, given), match(list(given), KEY_FIELDS), SEALING.index)


def test_chinese_and_english_headers_are_found_whatever_their_case_width_and_remarks() -> None:
    chinese = match(["商品编码", "名称", "售价（元）", "备注"], PRODUCT_FIELDS)
    english = match(["Sku", "Product Name", " PRICE ", "low-stock threshold"], PRODUCT_FIELDS)

    assert chinese.headers == {"sku": "商品编码", "name": "名称", "price": "售价（元）"}
    assert chinese.ignored == ("备注",)
    assert english.headers["low_stock_threshold"] == "low-stock threshold"


def test_the_callers_mapping_goes_before_the_known_names() -> None:
    columns = match(["sku", "name", "price", "渠道价"], PRODUCT_FIELDS, {"price": "渠道价"})

    assert columns.headers["price"] == "渠道价"
    assert columns.ignored == ("price",)


@pytest.mark.parametrize(
    ("headers", "mapping", "code"),
    [
        (["sku", "name"], {}, "missing-column"),
        (["sku", "商品编码", "name", "price"], {}, "ambiguous-column"),
        (["sku", "name", "price"], {"colour": "sku"}, "bad-mapping"),
        (["sku", "name", "price"], {"price": "渠道价"}, "bad-mapping"),
        (["sku", "name", "price"], {"price": "name", "name": "name"}, "bad-mapping"),
    ],
)
def test_columns_that_do_not_fit_are_refused(headers: list[str], mapping: dict[str, str], code: str) -> None:
    with pytest.raises(BadFile) as caught:
        match(headers, PRODUCT_FIELDS, mapping)
    assert caught.value.code == code


def test_a_full_row_becomes_a_listing() -> None:
    listing = product(
        kind="激活码", source="供应商", face_value=50, cost=45.1, category="游戏/Steam／充值", tags="热销，steam",
        suppliers="alpha;beta", tiers="10：47；50:46.5", per_order_limit=100.0, low_stock_threshold="20", on_sale="否",
    )  # fmt: skip

    assert listing == Listing(
        sku="A-1",
        name="Card",
        kind="activation-code",
        source="supplier",
        category=("游戏", "Steam", "充值"),
        tags=("热销", "steam"),
        face_value=Money(amount=5000),
        price=Money(amount=4850),
        tiers=(
            Tier(from_quantity=10, price=Money(amount=4700)),
            Tier(from_quantity=50, price=Money(amount=4650)),
        ),
        cost=Money(amount=4510),
        suppliers=("alpha", "beta"),
        per_order_limit=100,
        low_stock_threshold=20,
        on_sale=False,
    )


def test_a_row_names_what_it_holds_and_what_it_empties() -> None:
    assert said().named == ("name", "price", "sku")
    assert said(cost=None, tags="", on_sale=None, kind=None, per_order_limit=None).named == (
        "cost", "name", "price", "sku", "tags",
    )  # fmt: skip
    assert said().default_currency
    assert said(currency=None).default_currency
    assert not said(currency="USD").default_currency


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sku", None), ("sku", "two words"), ("sku", "=A1"), ("name", "@SUM(A1)"), ("name", "+cmd|x"), ("name", "-x"),
        ("name", "a\nb"), ("name", "x" * 201), ("price", "48.505"), ("price", 48.505), ("price", "-1"),
        ("price", "1e3"),
        ("price", "free"), ("price", "1,000"), ("price", float("nan")), ("price", 1e300), ("price", "٤٨"),
        ("currency", "yuan"), ("kind", "spaceship"), ("source", "moon"), ("tiers", "10-47"), ("tiers", "10:47;5:46"),
        ("tiers", "10:47:00"), ("tiers", "0:47"), ("per_order_limit", 0), ("per_order_limit", 1.5),
        ("low_stock_threshold", "-1"), ("low_stock_threshold", "9" * 5000), ("on_sale", "perhaps"),
        ("suppliers", "no spaces"),
    ],
)  # fmt: skip
def test_a_bad_value_is_reported_by_its_field_without_its_content(field: str, value: Value) -> None:
    with pytest.raises(RowError) as caught:
        product(**{field: value})
    assert caught.value.field == field
    assert len(caught.value.message) < 250
    assert not isinstance(value, str) or len(value) < 8 or value not in caught.value.message


@given(st.integers(min_value=0, max_value=10**12))
def test_amounts_are_exact_as_text_and_as_spreadsheet_numbers(minor: int) -> None:
    written = f"{minor // 100}.{minor % 100:02d}"

    assert cells.money("price", written, "CNY").amount == minor
    assert cells.money("price", float(written), "CNY").amount == minor


@pytest.mark.parametrize(
    ("price", "currency", "minor"),
    [("500", "JPY", 500), (500, "jpy", 500), (500.0, "JPY", 500), ("1.500", "KWD", 1_500), (1.5, "KWD", 1_500)],
)
def test_an_amount_has_the_decimals_of_its_currency(price: Value, currency: str, minor: int) -> None:
    assert product(price=price, currency=currency).price == Money(amount=minor, currency=currency.upper())


@pytest.mark.parametrize(
    ("field", "cells"),
    [
        ("price", {"price": "1.23", "currency": "JPY"}),
        ("price", {"price": 1.5, "currency": "JPY"}),
        ("price", {"price": "1.2345", "currency": "KWD"}),
        ("price", {"price": "1.000", "currency": "CNY"}),
        ("tiers", {"price": "5", "tiers": "10:4.5", "currency": "JPY"}),
        ("currency", {"currency": "XYZ"}),
        ("currency", {"currency": "XAU"}),
        ("currency", {"currency": "RMB"}),
    ],
)
def test_what_is_no_amount_of_a_currency_is_refused(field: str, cells: dict[str, Value]) -> None:
    with pytest.raises(RowError) as error:
        product(**cells)
    assert error.value.field == field


@pytest.mark.parametrize("name", ["Steam\u202e", "\u200b\u200b", "\u0301", "a\u2028b"])
def test_a_product_s_name_can_be_read(name: str) -> None:
    with pytest.raises(RowError) as error:
        product(name=name)
    assert error.value.field == "name"


def test_the_noise_below_what_a_spreadsheet_shows_is_no_decimal() -> None:
    assert cells.money("price", 0.1 + 0.2, "CNY") == Money(amount=30)


def test_a_full_row_becomes_a_key() -> None:
    parsed = key(batch="2027-01", supplier="alpha", cost="45.10", expires="2027年12月31日")

    assert parsed.lot == Lot("A-1", "2027-01", "alpha", Money(amount=4510), date(2027, 12, 31))
    assert (parsed.row, parsed.plain, parsed.index) == (2, "DEMO-1", SEALING.index("DEMO-1"))


@pytest.mark.parametrize("plain", ["-A1", "+A1", "00012", "a=b", "a b", 123456789012345])
def test_keys_may_begin_with_signs_and_are_kept_as_written(plain: Value) -> None:
    assert key(key=plain).plain == str(plain)


@pytest.mark.parametrize(
    "plain",
    ["=SECRET", "@SECRET", "SEC\nRET", "1.23457E+15", 1.5e15, 1234567890123456, "S" * 501, "\ud800", None],
)
def test_a_key_that_was_spoilt_or_is_hostile_is_refused_unquoted(plain: Value) -> None:
    with pytest.raises(RowError) as caught:
        key(key=plain)
    assert caught.value.field == "key"
    assert plain is None or str(plain) not in str(caught.value)


@pytest.mark.parametrize("value", ["2027-02-30", "31.12.2027", "soon", 46_000])
def test_a_day_that_is_none_is_refused(value: Value) -> None:
    with pytest.raises(RowError, match="expires"):
        key(expires=value)


def test_a_key_never_shows_in_a_repr() -> None:
    assert "SECRET" not in repr(key(key="SECRET"))


@given(st.lists(st.integers(0, 30), max_size=300), st.integers(1, 7), st.integers(1, 40))
def test_lots_lose_nothing_mix_nothing_and_stay_within_bounds(skus: list[int], chunk: int, limit: int) -> None:
    lots, chunks = Lots(chunk, limit), []
    for row, sku in enumerate(skus):
        chunks += lots.add(ParsedKey(row, Lot(f"S{sku}"), "x", ""))
        assert lots.buffered <= limit
    chunks += lots.rest()

    assert sorted(key.row for part in chunks for key in part) == list(range(len(skus)))
    assert all(len(part) <= chunk and len({key.lot for key in part}) == 1 for part in chunks)
    assert lots.buffered == 0


@given(st.lists(st.text(max_size=3)))
def test_seen_is_a_set(texts: list[str]) -> None:
    seen, known = HashSet(), set[str]()
    for text in texts:
        assert (text in seen) == (text in known)
        seen.add(text)
        known.add(text)


def filled(tmp_path: Path, kind: TemplateKind) -> tuple[SheetRow, Columns]:
    (tmp_path / f"{kind}.xlsx").write_bytes(template_xlsx(kind))
    fields = {"products": PRODUCT_FIELDS, "keys": KEY_FIELDS}[kind]
    sheet = read_rows(tmp_path / f"{kind}.xlsx", f"{kind}.xlsx")
    columns = match(sheet.headers, fields)
    assert set(columns.headers) == {field.name for field in fields}
    (row,) = sheet
    return row, columns


def test_templates_can_be_imported_as_they_are(tmp_path: Path) -> None:
    assert parse_product(*filled(tmp_path, "products")).listing.tiers
    assert parse_key(*filled(tmp_path, "keys"), SEALING.index).lot.expires == date(2027, 12, 31)


@pytest.mark.parametrize(
    "written", ["DEMO-1\u200b", "\ufeffDEMO-1", "DE\u00adMO-1", "\u2060DEMO-1", "ＤＥＭＯ－１", "\u3164DEMO-1"]
)
def test_what_nobody_sees_makes_no_other_key(written: str) -> None:
    one, other = key(key="DEMO-1"), key(key=written)

    assert (other.plain, other.index) == (one.plain, one.index) == ("DEMO-1", one.index)
    assert one.as_written is None


def test_a_key_is_looked_for_as_a_version_before_would_have_indexed_it() -> None:
    assert key(key="DEMO\u200b-1").as_written == SEALING.index("DEMO\u200b-1")


@pytest.mark.parametrize("written", ["\u200b", "\u3164", "DEMO\u2028-1", "DEMO\ufffd-1", "DEMO\ue000"])
def test_a_key_that_names_nothing_is_a_bad_row(written: str) -> None:
    with pytest.raises(RowError, match="key") as refused:
        key(key=written)
    assert "DEMO" not in str(refused.value)


def test_codes_are_canonical_in_both_sheets() -> None:
    lot = key(sku="Ａ-1\u200b", batch="\ufeffB1", supplier="alpha\u00a0").lot
    listing = product(sku="\u200bＡ-1", suppliers="alpha\u200b；ｂeta")

    assert lot == Lot(sku="A-1", batch="B1", supplier="alpha")
    assert (listing.sku, listing.suppliers) == ("A-1", ("alpha", "beta"))


CODES = ("key", "sku", "batch", "supplier")
PRINTED = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


def taken(field: str, value: Value) -> str | None:
    """What becomes of a code in this field."""
    parsed = key(**{field: value})
    lot = parsed.lot
    return {"key": parsed.plain, "sku": lot.sku, "batch": lot.batch, "supplier": lot.supplier}[field]


@given(st.sampled_from(CODES), PRINTED)
def test_a_code_that_is_written_as_text_comes_out_the_same_or_is_refused(field: str, written: str) -> None:
    try:
        found = taken(field, written)
    except RowError:
        return
    assert found == written


@given(st.sampled_from(CODES), st.integers(0, 10**18), st.integers(1, 18), st.booleans())
def test_a_number_in_the_place_of_a_code_is_what_is_shown_or_is_refused(
    field: str, number: int, places: int, is_padded: bool
) -> None:
    shown = f"{number:0{places}d}" if is_padded else str(number)
    value = format_of("164", {"164": "0" * places}).of(number) if is_padded else number
    if number < 10**15:
        assert taken(field, value) == shown
    else:
        with pytest.raises(RowError):
            taken(field, value)


@pytest.mark.parametrize("field", CODES)
@pytest.mark.parametrize(
    "value",
    [
        "6.90123E+12", "6,9E+12", "1.5e5", "1E-05", "1.23E+05", "3-Apr", "03-Apr-27", "Apr-27", "4月3日",
        "2027年4月3日", "2027/4/3", "4/3/2027",
        "TRUE", "false", "#N/A", "#REF!", "####", Flag(True), Moment("2027-04-03"),
        Moment("10:47:00"), Number(1.5e11, None), Number(5.5, None), 0.5, 1e15, float("nan"), float("inf"), 10**15,
    ],
)  # fmt: skip
def test_what_a_spreadsheet_has_made_of_a_code_is_refused_with_what_to_do(field: str, value: Value) -> None:
    with pytest.raises(RowError) as caught:
        key(**{field: value})
    assert caught.value.field == field
    assert "format the column as text" in caught.value.message


@pytest.mark.parametrize("value", [Flag(True), Moment("2027-04-03"), Number(1234, None)])
@pytest.mark.parametrize("field", ["sku", "name", "tags", "category", "suppliers", "kind", "tiers", "currency"])
def test_no_text_of_a_product_is_a_date_or_yes_or_a_number_shown_otherwise(field: str, value: Value) -> None:
    with pytest.raises(RowError, match=field):
        product(**{field: value})


def test_whole_floats_flags_and_dates_are_taken_where_they_belong() -> None:
    assert key(batch=5.0).lot.batch == "5"
    assert key(expires=Moment("2027-12-31")).lot.expires == date(2027, 12, 31)
    assert product(on_sale=Flag(False)).on_sale is False
    assert product(price=Number(48.5, None), per_order_limit=Number(7, "007")).per_order_limit == 7


@pytest.mark.parametrize("price", ["-0", "-0.00"])
def test_nothing_below_zero_is_an_amount(price: str) -> None:
    with pytest.raises(RowError, match="negative"):
        product(price=price)


@pytest.mark.parametrize("field", ["sku", "key", "batch", "supplier", "cost"])
@pytest.mark.parametrize("apostrophe", ["'", "＇"])
def test_an_apostrophe_that_marks_a_text_is_not_loaded(field: str, apostrophe: str) -> None:
    with pytest.raises(RowError, match="delete the apostrophe"):
        key(**{field: f"{apostrophe}009652562"})


def test_a_cell_of_spaces_is_an_empty_cell() -> None:
    assert key(batch=" ", supplier="\u3000", cost="\u200b", expires="\xa0").lot == Lot("A-1")


def test_a_column_that_is_needed_may_not_be_hidden() -> None:
    with pytest.raises(BadFile, match="hidden-column"):
        match(["sku", "key", "cost"], KEY_FIELDS, hidden=["cost"])
    assert match(["sku", "key", "remark"], KEY_FIELDS, hidden=["remark"]).ignored == ("remark",)


def test_an_unreadable_cell_of_a_column_that_nobody_needs_spoils_no_row() -> None:
    row = SheetRow(2, {"sku": "A", "key": "K", "remark": None}, {"remark": "formula cells are not accepted"})

    assert parse_key(row, match(["sku", "key", "remark"], KEY_FIELDS), SEALING.index).plain == "K"


def test_a_supplier_or_a_tag_that_is_named_twice_is_taken_once() -> None:
    listing = product(suppliers="north;south；ｎorth", tags="热销，steam,热销")

    assert (listing.suppliers, listing.tags) == (("north", "south"), ("热销", "steam"))


def test_a_supplier_that_is_not_configured_is_a_bad_row_where_any_is() -> None:
    row = SheetRow(2, {"sku": "A-1", "name": "Card", "price": "1", "suppliers": "north,nosuch"})
    columns = match(list(row.cells), PRODUCT_FIELDS)

    with pytest.raises(RowError, match="suppliers") as caught:
        parse_product(row, columns, {"north", "south"})
    assert "nosuch" not in str(caught.value)
    assert parse_product(row, columns, {"north", "nosuch"}).listing.suppliers == ("north", "nosuch")
    assert parse_product(row, columns).listing.suppliers == ("north", "nosuch")
