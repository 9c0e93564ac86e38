"""Products with their stock, from the inventory log alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from services.gateway.tables.base import OpenRows, View, folds, iso, metadata
from shared.contracts.inventory import (
    KeyFaulted,
    KeysLoaded,
    ProductChanged,
    ProductListed,
    ProductPutOnSale,
    ProductTakenOffSale,
    StockReleased,
    StockReserved,
    StockSettled,
)
from shared.eventlog.recorded import Recorded
from shared.eventlog.tables import Key, Rows

products = sa.Table(
    "products",
    metadata,
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("on_sale", sa.Boolean, nullable=False),
    sa.Column("listing", sa.JSON, nullable=False),
    sa.Column("loaded", sa.Integer, nullable=False),
    sa.Column("available", sa.Integer, nullable=False),
    sa.Column("reserved", sa.Integer, nullable=False),
    sa.Column("sold", sa.Integer, nullable=False),
    sa.Column("faulted", sa.Integer, nullable=False),
    sa.Column("low_stock_threshold", sa.Integer, nullable=False),
    sa.Column("listed_at", sa.Text, nullable=False),
    sa.Column("changed_at", sa.Text, nullable=False),
)

# A fault names a key by its order: only the numbers still reserved tell whether it was set aside or already sold.
reserved_numbers = sa.Table(
    "reserved_numbers",
    metadata,
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("numbers", sa.JSON, nullable=False),
)


class Products(View):
    """One row a SKU; every key loaded is available, reserved, sold or faulted."""

    def __init__(self, rows: OpenRows) -> None:
        self._products, self._reserved = rows(products), rows(reserved_numbers, keep=2_000)

    def reads(self, event: Any) -> Iterator[tuple[Rows, Key]]:
        if not isinstance(event, ProductListed):
            yield self._products, (event.sku,)
        if isinstance(event, StockReserved | StockReleased | StockSettled | KeyFaulted):
            yield self._reserved, (event.sku, event.order_id)

    def _move(self, sku: str, **by: int) -> None:
        row = self._products.get(sku)
        if row is None:
            raise LookupError(f"stock of {sku} moved before it was listed")
        self._products.put({**row, **{column: row[column] + change for column, change in by.items()}})

    def _numbers(self, sku: str, order_id: str) -> set[int]:
        row = self._reserved.get(sku, order_id)
        return set(row["numbers"]) if row else set()

    def _keep(self, sku: str, order_id: str, numbers: set[int]) -> None:
        if numbers:
            self._reserved.put({"sku": sku, "order_id": order_id, "numbers": sorted(numbers)})
        else:
            self._reserved.delete(sku, order_id)

    @folds(ProductListed, ProductChanged)
    def listed(self, event: ProductListed | ProductChanged, recorded: Recorded) -> None:
        at, listing = iso(recorded.at), event.listing
        # A first listing has no row to look for: imports are full of them.
        known = self._products.get(event.sku) if isinstance(event, ProductChanged) else None
        row: dict[str, Any] = known or {
            **dict.fromkeys(("loaded", "available", "reserved", "sold", "faulted"), 0),
            "listed_at": at,
        }
        self._products.put(
            {
                **row,
                "sku": event.sku,
                "name": listing.name,
                "kind": listing.kind,
                "source": listing.source,
                "on_sale": listing.on_sale,
                "listing": listing.model_dump(mode="json"),
                "low_stock_threshold": listing.low_stock_threshold,
                "changed_at": at,
            }
        )

    @folds(ProductPutOnSale)
    def put_on_sale(self, event: ProductPutOnSale, recorded: Recorded) -> None:
        self._products.update(event.sku, on_sale=True, changed_at=iso(recorded.at))

    @folds(ProductTakenOffSale)
    def taken_off_sale(self, event: ProductTakenOffSale, recorded: Recorded) -> None:
        self._products.update(event.sku, on_sale=False, changed_at=iso(recorded.at))

    @folds(KeysLoaded)
    def loaded(self, event: KeysLoaded, recorded: Recorded) -> None:
        count = len(event.keys)
        self._move(event.sku, loaded=count, available=count)

    @folds(StockReserved)
    def reserved(self, event: StockReserved, recorded: Recorded) -> None:
        numbers = {key.number for key in event.keys}
        self._keep(event.sku, event.order_id, self._numbers(event.sku, event.order_id) | numbers)
        self._move(event.sku, available=-len(numbers), reserved=len(numbers))

    @folds(StockReleased)
    def released(self, event: StockReleased, recorded: Recorded) -> None:
        self._keep(event.sku, event.order_id, self._numbers(event.sku, event.order_id) - set(event.numbers))
        self._move(event.sku, reserved=-len(event.numbers), available=len(event.numbers))

    @folds(StockSettled)
    def settled(self, event: StockSettled, recorded: Recorded) -> None:
        self._keep(event.sku, event.order_id, self._numbers(event.sku, event.order_id) - set(event.numbers))
        self._move(event.sku, reserved=-len(event.numbers), sold=len(event.numbers))

    @folds(KeyFaulted)
    def faulted(self, event: KeyFaulted, recorded: Recorded) -> None:
        numbers = self._numbers(event.sku, event.order_id)
        if event.number in numbers:
            self._keep(event.sku, event.order_id, numbers - {event.number})
            self._move(event.sku, reserved=-1, faulted=1)
        else:
            self._move(event.sku, sold=-1, faulted=1)
