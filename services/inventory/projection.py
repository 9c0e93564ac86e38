"""The sealed keys by number, the hashes of their texts and of suppliers' texts, and the order that each was sold to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

import sqlalchemy as sa

from shared.contracts import Event
from shared.contracts.fulfillment import (
    SupplierDelivered,
    SupplierReportRefused,
    SupplierStatementRecorded,
    supplied_indexes,
)
from shared.contracts.inventory import KeysLoaded, StockKey, StockSettled
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import Projection

BLOCK = 256
BLOCKS_KEPT = 256
ROWS_KEPT = 2_000

metadata = sa.MetaData()
keys = sa.Table(
    "keys",
    metadata,
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("batch_id", sa.Text, nullable=False),
    sa.Column("box", sa.Text, nullable=False),
)
key_index = sa.Table(
    "key_index",
    metadata,
    sa.Column("blind_index", sa.Text, primary_key=True),
    sa.Column("sku", sa.Text),
    sa.Column("number", sa.Integer),
)
# The texts that suppliers sent for orders, by the same hash, and the delivery that each first came for.
supplied_texts = sa.Table(
    "supplied_texts",
    metadata,
    sa.Column("blind_index", sa.Text, primary_key=True),
    sa.Column("delivery_id", sa.Text, nullable=False),
)
sold_keys = sa.Table(
    "sold_keys",
    metadata,
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("line", sa.Integer, nullable=False),
)


class InventoryProjection(Projection):
    """What inventory looks up. Boxes are read in blocks of numbers, because stock sells in the order of its numbers. A
    number's box never changes, so blocks stay valid until a rollback."""

    metadata = metadata
    version = 2
    own_events = (KeysLoaded, StockSettled)

    def __init__(self, connection: Callable[[], sa.Connection]) -> None:
        super().__init__(connection)
        self._keys = self.rows(keys, keep=ROWS_KEPT)
        self._key_index = self.rows(key_index, keep=ROWS_KEPT)
        self._supplied_texts = self.rows(supplied_texts, keep=ROWS_KEPT)
        self._sold_keys = self.rows(sold_keys, keep=ROWS_KEPT)
        self._blocks: OrderedDict[tuple[str, int], dict[int, str]] = OrderedDict()

    def known(self, indexes: Iterable[str]) -> frozenset[str]:
        """Those of the indexes that were loaded before, under whatever SKU."""
        found = self._key_index.get_many((index,) for index in indexes)
        return frozenset(index for (index,), row in found.items() if row is not None)

    def supplied(self, indexes: Iterable[str]) -> frozenset[str]:
        """Those of the indexes whose texts suppliers have sent for orders."""
        found = self._supplied_texts.get_many((index,) for index in indexes)
        return frozenset(index for (index,), row in found.items() if row is not None)

    def found(self, indexes: Iterable[str]) -> tuple[StockKey, ...]:
        """The keys, sold or not, that have these indexes."""
        rows = self._key_index.get_many((index,) for index in indexes).values()
        return tuple(StockKey(sku=row["sku"], number=row["number"]) for row in rows if row is not None)

    def box(self, sku: str, number: int) -> str:
        """The sealed text of a key. Raises KeyError for one that was never loaded."""
        place = (sku, (number - 1) // BLOCK)
        block = self._blocks.get(place)
        if block is None or number not in block:
            block = self._blocks[place] = self._read_block(*place)
        self._blocks.move_to_end(place)
        if len(self._blocks) > BLOCKS_KEPT:
            self._blocks.popitem(last=False)
        return block[number]

    def _read_block(self, sku: str, block: int) -> dict[int, str]:
        first = block * BLOCK + 1
        found = self._keys.get_many((sku, number) for number in range(first, first + BLOCK))
        return {number: row["box"] for (_, number), row in found.items() if row is not None}

    def sold_to(self, sku: str, number: int) -> str | None:
        """The order that a key was sold to, if it was."""
        row = self._sold_keys.get(sku, number)
        return row["order_id"] if row else None

    def apply(self, event: Event, recorded: RecordedEvent) -> None:
        match event:
            case KeysLoaded():
                for number, key in enumerate(event.keys, event.first):
                    self._keys.put({"sku": event.sku, "number": number, "batch_id": event.batch_id, "box": key.box})
                    self._key_index.put({"blind_index": key.index, "sku": event.sku, "number": number})
            case StockSettled():
                sale = {"sku": event.sku, "order_id": event.order_id, "line": event.line}
                for number in event.numbers:
                    self._sold_keys.put({**sale, "number": number})
            case SupplierDelivered() | SupplierStatementRecorded() | SupplierReportRefused():
                texts = self._supplied_texts.get_many((index,) for index in supplied_indexes(event))
                for (index,), row in texts.items():
                    if row is None:
                        self._supplied_texts.put({"blind_index": index, "delivery_id": event.delivery_id})
            case _:
                pass

    def forget(self) -> None:
        super().forget()
        self._blocks.clear()
