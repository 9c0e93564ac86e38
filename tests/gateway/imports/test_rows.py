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
from services.gateway.imports.keys import Lot, Lots, ParsedKey, parse_key
from services.gateway.imports.model import BadFile, SheetRow, Value
from services.gateway.imports.products import parse_product
from services.gateway.imports.seen import Seen
from services.gateway.imports.sheets import read_rows
from services.gateway.imports.templates import TemplateKind, template_xlsx
from shared.contracts import Money
from shared.contracts.inventory import Listing, Tier
from tests.gateway.imports.builders import SEALING


def product(**fields: Value) -> Listing:
    given = {"sku": "A-1", "name": "Card", "price": "48.50"} | fields
    return parse_product(SheetRow(2, given), match(list(given), PRODUCT_FIELDS))


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
def test_a_bad_value_is_told_by_its_field_without_its_content(field: str, value: Value) -> None:
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
        assert lots.held <= limit
    chunks += lots.rest()

    assert sorted(key.row for part in chunks for key in part) == list(range(len(skus)))
    assert all(len(part) <= chunk and len({key.lot for key in part}) == 1 for part in chunks)
    assert lots.held == 0


@given(st.lists(st.text(max_size=3)))
def test_seen_is_a_set(texts: list[str]) -> None:
    seen, known = Seen(), set[str]()
    for text in texts:
        assert seen.add(text) == (text not in known)
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
    assert parse_product(*filled(tmp_path, "products")).tiers
    assert parse_key(*filled(tmp_path, "keys"), SEALING.index).lot.expires == date(2027, 12, 31)
