"""From a row to a product's listing."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from services.gateway.imports.cells import RowError, currency, listed, money, one_of, text, whole, yes
from services.gateway.imports.columns import Columns
from services.gateway.imports.model import SheetRow, Value
from shared.contracts.inventory import Kind, Listing, Source, Tier

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


def parse_product(row: SheetRow, columns: Columns) -> Listing:
    """Raises RowError with the field that is missing, malformed or out of range. Empty cells take the defaults."""
    refuse_faults(row, columns)
    cells = columns.of(row)
    for required in ("sku", "name", "price"):
        if required not in cells:
            raise RowError(required, "is missing")
    unit = currency("currency", cells.pop("currency")) if "currency" in cells else "CNY"
    try:
        return Listing.model_validate({field: _field(field, value, unit) for field, value in cells.items()})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise RowError(str(first["loc"][0]), first["msg"]) from None


def refuse_faults(row: SheetRow, columns: Columns) -> None:
    """Raises RowError for the first cell that could not be read."""
    for header, message in row.faults.items():
        raise RowError(columns.field(header), message)


def _field(name: str, value: Value, unit: str) -> object:
    match name:
        case "price" | "cost" | "face_value":
            return money(name, value, unit)
        case "tiers":
            return _tiers(name, value, unit)
        case _:
            return _PLAIN[name](name, value)


def _tiers(name: str, value: Value, unit: str) -> tuple[Tier, ...]:
    """Of `10:47.00;50:46.00`: from 10 pieces on 47.00 each, from 50 on 46.00."""
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
    return tuple(level.strip() for level in text(name, value).replace("／", "/").split("/") if level.strip())


_PLAIN: dict[str, Callable[[str, Value], Any]] = {
    "sku": text,
    "name": text,
    "kind": lambda name, value: one_of(name, value, KINDS),
    "source": lambda name, value: one_of(name, value, SOURCES),
    "category": _category,
    "tags": listed,
    "suppliers": listed,
    "per_order_limit": whole,
    "low_stock_threshold": whole,
    "on_sale": yes,
}
