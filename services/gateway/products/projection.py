"""Products with their stock, from the inventory log alone."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import sqlalchemy as sa

from services.gateway.resource_projection import OpenRows, ResourceProjection, folds, iso, metadata
from shared.contracts.inventory import (
    KeyFaulted,
    KeysLoaded,
    KeysWithdrawn,
    ProductChanged,
    ProductListed,
    ProductPutOnSale,
    ProductTakenOffSale,
    StockReleased,
    StockReserved,
    StockSettled,
)
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import Key, RowCache

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
    sa.Column("withdrawn", sa.Integer, nullable=False, server_default="0"),
)

# Every supplier that a product or a batch of keys names.
known_suppliers = sa.Table("known_suppliers", metadata, sa.Column("supplier", sa.Text, primary_key=True))

# A fault names a key and its order. Whether the key was reserved or already sold shows only in these numbers.
reserved_numbers = sa.Table(
    "reserved_numbers",
    metadata,
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("numbers", sa.JSON, nullable=False),
)

# The keys of a product that have a last day, as [first number, last number, day], in the order of loading.
last_days = sa.Table(
    "last_days",
    metadata,
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("ranges", sa.JSON, nullable=False),
)

# How many keys that `available` counts have this last day. When the day is over, they are no longer for sale.
expiring_keys = sa.Table(
    "expiring_keys",
    metadata,
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("expires_on", sa.Text, primary_key=True),
    sa.Column("free", sa.Integer, nullable=False),
)


def expired(today: date) -> sa.Subquery:
    """The number of unsold keys of each product that are past their last day: columns `sku` and `expired`."""
    return (
        sa.select(expiring_keys.c.sku, sa.func.sum(expiring_keys.c.free).label("expired"))
        .where(expiring_keys.c.expires_on < today.isoformat())
        .group_by(expiring_keys.c.sku)
        .subquery("expired_keys")
    )


class Products(ResourceProjection):
    """One row for each SKU. Every loaded key is available, reserved, sold, faulted or withdrawn. Available keys past
    their last day are counted when a product is read."""

    def __init__(self, rows: OpenRows) -> None:
        self._products, self._reserved = rows(products), rows(reserved_numbers, keep=2_000)
        self._last_days, self._expiring = rows(last_days), rows(expiring_keys)
        self._suppliers = rows(known_suppliers)

    def reads(self, event: Any) -> Iterator[tuple[RowCache, Key]]:
        if not isinstance(event, ProductListed):
            yield self._products, (event.sku,)
        if isinstance(event, StockReserved | StockReleased | StockSettled | KeyFaulted):
            yield self._reserved, (event.sku, event.order_id)
        if isinstance(event, KeysLoaded | StockReserved | StockReleased | KeysWithdrawn):
            yield self._last_days, (event.sku,)

    def _move(self, sku: str, **changes: int) -> None:
        row = self._products.get(sku)
        if row is None:
            raise LookupError(f"stock of {sku} moved before it was listed")
        self._products.put({**row, **{column: row[column] + change for column, change in changes.items()}})

    def _numbers(self, sku: str, order_id: str) -> set[int]:
        row = self._reserved.get(sku, order_id)
        return set(row["numbers"]) if row else set()

    def _keep(self, sku: str, order_id: str, numbers: set[int]) -> None:
        if numbers:
            self._reserved.put({"sku": sku, "order_id": order_id, "numbers": sorted(numbers)})
        else:
            self._reserved.delete(sku, order_id)

    def _ranges(self, sku: str) -> list[Any]:
        row = self._last_days.get(sku)
        return row["ranges"] if row else []

    def _expires(self, event: KeysLoaded, day: str) -> None:
        """Remember the last day of the loaded keys. Keys that were loaded one after the other with one day are one
        range."""
        ranges, first, last = self._ranges(event.sku), event.first, event.first + len(event.keys) - 1
        if ranges and ranges[-1][1:] == [first - 1, day]:
            *ranges, (first, _, _) = ranges
        self._last_days.put({"sku": event.sku, "ranges": [*ranges, [first, last, day]]})

    def _free(self, sku: str, numbers: Iterable[int], change: int) -> None:
        """Count keys that left the stock for sale (`change` -1) or came back to it (1), for each last day."""
        ranges = self._ranges(sku)
        if not ranges:
            return
        starts = [first for first, _, _ in ranges]
        days: Counter[str] = Counter()
        for number in numbers:
            place = bisect_right(starts, number) - 1
            if place >= 0 and number <= ranges[place][1]:
                days[ranges[place][2]] += change
        for day, count in days.items():
            self._count(sku, day, count)

    def _count(self, sku: str, day: str, change: int) -> None:
        row = self._expiring.get(sku, day)
        free = change + (row["free"] if row else 0)
        if free:
            self._expiring.put({"sku": sku, "expires_on": day, "free": free})
        else:
            self._expiring.delete(sku, day)

    def _know(self, *suppliers: str) -> None:
        for supplier in suppliers:
            if self._suppliers.get(supplier) is None:
                self._suppliers.put({"supplier": supplier})

    @folds(ProductListed, ProductChanged)
    def listed(self, event: ProductListed | ProductChanged, recorded: RecordedEvent) -> None:
        at, listing = iso(recorded.at), event.listing
        self._know(*listing.suppliers)
        # A first listing has no row, so none is looked up: imports have many of them.
        known = self._products.get(event.sku) if isinstance(event, ProductChanged) else None
        row: dict[str, Any] = known or {
            **dict.fromkeys(("loaded", "available", "reserved", "sold", "faulted", "withdrawn"), 0),
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
    def put_on_sale(self, event: ProductPutOnSale, recorded: RecordedEvent) -> None:
        self._products.update(event.sku, on_sale=True, changed_at=iso(recorded.at))

    @folds(ProductTakenOffSale)
    def taken_off_sale(self, event: ProductTakenOffSale, recorded: RecordedEvent) -> None:
        self._products.update(event.sku, on_sale=False, changed_at=iso(recorded.at))

    @folds(KeysLoaded)
    def loaded(self, event: KeysLoaded, recorded: RecordedEvent) -> None:
        count = len(event.keys)
        self._move(event.sku, loaded=count, available=count)
        if event.supplier is not None:
            self._know(event.supplier)
        if event.expires_on is not None:
            day = event.expires_on.isoformat()
            self._expires(event, day)
            self._count(event.sku, day, count)

    @folds(StockReserved)
    def reserved(self, event: StockReserved, recorded: RecordedEvent) -> None:
        numbers = {key.number for key in event.keys}
        self._keep(event.sku, event.order_id, self._numbers(event.sku, event.order_id) | numbers)
        self._move(event.sku, available=-len(numbers), reserved=len(numbers))
        self._free(event.sku, numbers, -1)

    @folds(StockReleased)
    def released(self, event: StockReleased, recorded: RecordedEvent) -> None:
        self._keep(event.sku, event.order_id, self._numbers(event.sku, event.order_id) - set(event.numbers))
        self._move(event.sku, reserved=-len(event.numbers), available=len(event.numbers))
        self._free(event.sku, event.numbers, 1)

    @folds(StockSettled)
    def settled(self, event: StockSettled, recorded: RecordedEvent) -> None:
        self._keep(event.sku, event.order_id, self._numbers(event.sku, event.order_id) - set(event.numbers))
        self._move(event.sku, reserved=-len(event.numbers), sold=len(event.numbers))

    @folds(KeysWithdrawn)
    def withdrawn(self, event: KeysWithdrawn, recorded: RecordedEvent) -> None:
        self._move(event.sku, available=-len(event.numbers), withdrawn=len(event.numbers))
        self._free(event.sku, event.numbers, -1)

    @folds(KeyFaulted)
    def faulted(self, event: KeyFaulted, recorded: RecordedEvent) -> None:
        numbers = self._numbers(event.sku, event.order_id)
        if event.number in numbers:
            self._keep(event.sku, event.order_id, numbers - {event.number})
            self._move(event.sku, reserved=-1, faulted=1)
        else:
            self._move(event.sku, sold=-1, faulted=1)
