"""The delivered keys, the texts in stock and from suppliers, and the health of suppliers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.fulfillment.domain.goods import GoodsOpening, goods_to_open
from services.fulfillment.domain.keys import Opening, keys_to_open
from services.fulfillment.domain.routing import Health
from shared.contracts import Command, Event
from shared.contracts.fulfillment import (
    DeliveryHandedOver,
    KeysDelivered,
    PurchaseFailed,
    RecordPurchase,
    Supplied,
    SupplierDelivered,
    SupplierReportRefused,
    SupplierStatementRecorded,
    supplied_indexes,
)
from shared.contracts.inventory import KeysLoaded
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import (
    Key,
    Projection,
    Row,
    RowCache,
)

STOCK_TEXTS_KEPT = 2_000

metadata = sa.MetaData()

# Keys that may not be delivered any more. `delivery_id` is the delivery that got the key, empty for none;
# `supplied_for` is the delivery that a supplier sent the key's text for.
delivered_keys = sa.Table(
    "delivered_keys",
    metadata,
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("delivery_id", sa.Text, nullable=False),
    sa.Column("supplied_for", sa.Text),
)

# Every text that a supplier ever sent, by keyed hash. It went to a buyer, or is kept with a statement from which a
# person may hand it out. `delivery_id` is the delivery that it first came for.
supplied_texts = sa.Table(
    "supplied_texts",
    metadata,
    sa.Column("blind_index", sa.Text, primary_key=True),
    sa.Column("delivery_id", sa.Text, nullable=False),
)

# Every text that was ever loaded into stock, by the same hash.
stock_texts = sa.Table(
    "stock_texts",
    metadata,
    sa.Column("blind_index", sa.Text, primary_key=True),
    sa.Column("sku", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
)

# Times are ISO text in UTC; `failures` counts those in a row since the last success.
supplier_health = sa.Table(
    "supplier_health",
    metadata,
    sa.Column("supplier", sa.Text, primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("failed_at", sa.Text),
    sa.Column("succeeded_at", sa.Text),
)


class FulfillmentProjection(Projection):
    """What decisions about deliveries look up.

    A text goes to one buyer only. Every key in stock is known here before it is reserved, and every text of a supplier
    when it is recorded. Whichever comes second finds the other, in whatever order the logs are read.
    """

    metadata = metadata
    version = 5
    own_events = (
        KeysDelivered,
        PurchaseFailed,
        DeliveryHandedOver,
        SupplierDelivered,
        SupplierStatementRecorded,
        SupplierReportRefused,
    )

    def __init__(self, connection: Callable[[], sa.Connection]) -> None:
        super().__init__(connection)
        self.delivered_keys = self.rows(delivered_keys)
        self.supplied_texts = self.rows(supplied_texts)
        self.stock_texts = self.rows(stock_texts, keep=STOCK_TEXTS_KEPT)
        self.supplier_health = self.rows(supplier_health)

    def reads(self, asked: Event | Command, state: Any = None) -> Iterator[tuple[RowCache, Key]]:
        opening = keys_to_open(asked, state) if isinstance(asked, Command) else None
        if opening is not None:
            for number in opening.numbers:
                yield self.delivered_keys, (opening.sku, number)
        texts = goods_to_open(asked, state) if isinstance(asked, RecordPurchase) else None
        if texts is not None:
            for index in texts.indexes:
                yield self.supplied_texts, (index,)
                yield self.stock_texts, (index,)
        match asked:
            case KeysLoaded():
                for key in asked.keys:
                    yield self.supplied_texts, (key.index,)
            case KeysDelivered():
                for number in asked.numbers:
                    yield self.delivered_keys, (asked.sku, number)
            case _:
                pass

    def apply(self, event: Event, recorded: RecordedEvent) -> None:
        """Fold one own event, or keys that inventory loaded."""
        match event:
            case KeysDelivered():
                for (sku, number), row in self.delivered_keys.get_many((event.sku, it) for it in event.numbers).items():
                    key = row or {"sku": sku, "number": number}
                    self.delivered_keys.put({**key, "delivery_id": event.delivery_id})
            case KeysLoaded():
                self._loaded(event)
            case PurchaseFailed(supplier=supplier) | DeliveryHandedOver(supplier=str(supplier)):
                row = self._record_of(supplier)
                failed_at = recorded.at.isoformat()
                self.supplier_health.put({**row, "failures": row["failures"] + 1, "failed_at": failed_at})
            case SupplierDelivered(supplier=supplier):
                row = self._record_of(supplier)
                self.supplier_health.put({**row, "failures": 0, "succeeded_at": recorded.at.isoformat()})
                self._supplied(event)
            case SupplierStatementRecorded() | SupplierReportRefused():
                self._supplied(event)
            case _:
                pass

    def _supplied(self, event: Supplied) -> None:
        new: list[Key] = []
        for (index,), row in self.supplied_texts.get_many((it,) for it in supplied_indexes(event)).items():
            if row is None:
                self.supplied_texts.put({"blind_index": index, "delivery_id": event.delivery_id})
                new.append((index,))
        for key in self.stock_texts.get_many(new).values():
            if key is not None:
                self._doubled(key["sku"], key["number"], event.delivery_id)

    def _loaded(self, event: KeysLoaded) -> None:
        supplied = self.supplied_texts.get_many((key.index,) for key in event.keys)
        for number, key in enumerate(event.keys, event.first):
            self.stock_texts.put({"blind_index": key.index, "sku": event.sku, "number": number})
            if (text := supplied[(key.index,)]) is not None:
                self._doubled(event.sku, number, text["delivery_id"])

    def _doubled(self, sku: str, number: int, delivery_id: str) -> None:
        key = self.delivered_keys.get(sku, number) or {"sku": sku, "number": number, "delivery_id": ""}
        self.delivered_keys.put({**key, "supplied_for": delivery_id})

    def _record_of(self, supplier: str) -> Row:
        return self.supplier_health.get(supplier) or {"supplier": supplier, "failures": 0}

    def delivered_before(self, opening: Opening) -> tuple[int, ...]:
        """The numbers among these keys that went to another delivery already, ascending."""
        rows = self.delivered_keys.get_many((opening.sku, number) for number in opening.numbers)
        here = ("", opening.delivery_id)
        return tuple(sorted(row["number"] for row in rows.values() if row and row["delivery_id"] not in here))

    def supplied_too(self, opening: Opening) -> tuple[int, ...]:
        """The numbers among these keys whose text a supplier has sent, ascending."""
        rows = self.delivered_keys.get_many((opening.sku, number) for number in opening.numbers)
        return tuple(sorted(row["number"] for row in rows.values() if row and row["supplied_for"]))

    def given_before(self, opening: GoodsOpening) -> tuple[str, ...]:
        """The keyed hashes among these texts' that came before, whichever supplier sent them, in their order."""
        rows = self.supplied_texts.get_many((index,) for index in opening.indexes)
        return tuple(index for (index,), row in rows.items() if row)

    def in_stock(self, opening: GoodsOpening) -> tuple[str, ...]:
        """The keyed hashes among these texts' that keys of our stock have, sold or not, in their order."""
        rows = self.stock_texts.get_many((index,) for index in opening.indexes)
        return tuple(index for (index,), row in rows.items() if row)

    def health(self, suppliers: Iterable[str]) -> dict[str, Health]:
        """The health of these suppliers. Suppliers that were never asked are left out."""
        rows = self.supplier_health.get_many((supplier,) for supplier in suppliers)
        return {
            row["supplier"]: Health(row["failures"], _time(row.get("failed_at")), _time(row.get("succeeded_at")))
            for row in rows.values()
            if row
        }


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
