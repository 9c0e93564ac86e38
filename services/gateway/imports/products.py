"""Turns a row into a product's listing."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from services.gateway.imports.cells import RowError, canonical, code, currency, listed, money, one_of, text, whole, yes
from services.gateway.imports.columns import Columns
from services.gateway.imports.model import SheetRow, Value
from shared.contracts.inventory import Kind, Listing, ListProduct, Source, Tier
from shared.values import identities

DEFAULT_CURRENCY = "CNY"
KINDS: dict[str, Kind] = {
    "card-key": "card-key",
    "卡密": "card-key",
    "点卡": "card-key",
    "top-up": "top-up",
    "直充": "top-up",
    "话费": "top-up",
    "activation-code": "activation-code",
    "激活码": "activation-code",
    "membership": "membership",
    "会员": "membership",
    "course": "course",
    "课程": "course",
    "bill-payment": "bill-payment",
    "生活缴费": "bill-payment",
    "custom": "custom",
    "自定义": "custom",
}
SOURCES: dict[str, Source] = {
    "keys": "keys",
    "自有卡密": "keys",
    "自有": "keys",
    "卡密": "keys",
    "supplier": "supplier",
    "供应商": "supplier",
    "货源": "supplier",
    "manual": "manual",
    "人工": "manual",
}


# Fields that a product can be without. An empty cell under such a header empties the field; under others it is ignored.
EMPTIABLE = frozenset({"category", "tags", "face_value", "cost", "suppliers", "tiers"})


@dataclass(frozen=True, slots=True)
class ProductRow:
    """A product as a row describes it. `named` are the fields that the row names; the others are defaults."""

    listing: Listing
    named: tuple[str, ...]
    default_currency: bool

    def command(self, *, dry_run: bool) -> ListProduct:
        return ListProduct(
            sku=self.listing.sku,
            listing=self.listing,
            dry_run=dry_run,
            named=self.named,
            default_currency=self.default_currency,
        )


def parse_product(row: SheetRow, columns: Columns, suppliers: Collection[str] = ()) -> ProductRow:
    """The product of a row. Raises RowError with the field at fault, and for a supplier that is not in `suppliers`,
    unless that is empty."""
    refuse_faults(row, columns)
    cells = columns.of(row)
    for required in ("sku", "name", "price"):
        if required not in cells:
            raise RowError(required, "is missing")
    named = frozenset(cells.keys() | (columns.headers.keys() & EMPTIABLE))
    unit = currency("currency", cells.pop("currency")) if "currency" in cells else DEFAULT_CURRENCY
    try:
        listing = Listing.model_validate({field: _field(field, value, unit) for field, value in cells.items()})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise RowError(str(first["loc"][0]), first["msg"]) from None
    if suppliers and not all(name in suppliers for name in listing.suppliers):
        raise RowError("suppliers", "a supplier that is not configured")
    return ProductRow(listing, _fields(named), default_currency="currency" not in named)


@lru_cache(maxsize=1_000)
def _fields(named: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(named - {"currency"}))


def refuse_faults(row: SheetRow, columns: Columns) -> None:
    """Raises RowError for the first cell that could not be read and is needed, or stands under no header."""
    for header, message in row.faults.items():
        if header not in columns.ignored:
            raise RowError(columns.field(header), message)


def _field(name: str, value: Value, unit: str) -> object:
    if (plain := _PLAIN.get(name)) is not None:
        return plain(name, value)
    return _tiers(name, value, unit) if name == "tiers" else money(name, value, unit)


def _tiers(name: str, value: Value, unit: str) -> tuple[Tier, ...]:
    """The tiers of `10:47.00;50:46.00`: 47.00 each from 10 pieces, 46.00 from 50."""
    written = unicodedata.normalize("NFKC", text(name, value))
    tiers: list[Tier] = []
    for step in filter(None, (part.strip() for part in written.split(";"))):
        quantity, colon, price = step.partition(":")
        if not colon:
            raise RowError(name, "expected quantity:price pairs such as 10:47.00;50:46.00")
        tier = Tier(from_quantity=_quantity(name, quantity), price=money(name, price, unit))
        if tiers and tier.from_quantity <= tiers[-1].from_quantity:
            raise RowError(name, "quantities must rise from step to step")
        tiers.append(tier)
    return tuple(tiers)


def _quantity(name: str, value: str) -> int:
    quantity = whole(name, value)
    if not 1 <= quantity <= 10_000:
        raise RowError(name, "quantities lie between 1 and 10000")
    return quantity


def _category(name: str, value: Value) -> tuple[str, ...]:
    return _levels(name, text(name, value))


@lru_cache(maxsize=1_000)
def _levels(name: str, written: str) -> tuple[str, ...]:
    levels = (level.strip() for level in written.replace("／", "/").split("/"))
    return tuple(code(name, level) for level in levels if level)


def _codes(name: str, value: Value) -> tuple[str, ...]:
    return tuple(dict.fromkeys(code(name, one) for one in listed(name, value)))


_PLAIN: dict[str, Callable[[str, Value], Any]] = {
    "sku": code,
    "name": lambda field, value: canonical(field, identities.name, text(field, value, apostrophe=True)),
    "kind": lambda name, value: one_of(name, value, KINDS),
    "source": lambda name, value: one_of(name, value, SOURCES),
    "category": _category,
    "tags": listed,
    "suppliers": _codes,
    "per_order_limit": whole,
    "low_stock_threshold": whole,
    "on_sale": yes,
}
