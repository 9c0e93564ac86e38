"""Which keys were ever delivered, and how suppliers have been doing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.fulfillment.domain.keys import Opening, keys_to_open
from services.fulfillment.domain.routing import Health
from shared.contracts import Command, Event
from shared.contracts.fulfillment import DeliveryHandedOver, KeysDelivered, PurchaseFailed, SupplierDelivered
from shared.eventlog.recorded import Recorded
from shared.eventlog.tables import Key, Row, Rows, Tables

metadata = sa.MetaData()

delivered_keys = sa.Table(
    "delivered_keys",
    metadata,
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("delivery_id", sa.Text, nullable=False),
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


class FulfillmentTables(Tables):
    """What deciding about deliveries needs to look up."""

    metadata = metadata
    folds = (KeysDelivered, PurchaseFailed, DeliveryHandedOver, SupplierDelivered)

    def __init__(self, connection: Callable[[], sa.Connection]) -> None:
        super().__init__(connection)
        self.delivered_keys = self.rows(delivered_keys)
        self.supplier_health = self.rows(supplier_health)

    def reads(self, asked: Event | Command, state: Any = None) -> Iterator[tuple[Rows, Key]]:
        opening = keys_to_open(asked, state) if isinstance(asked, Command) else None
        if opening is not None:
            for number in opening.numbers:
                yield self.delivered_keys, (opening.sku, number)

    def apply(self, event: Event, recorded: Recorded) -> None:
        """Fold one own event."""
        match event:
            case KeysDelivered():
                for number in event.numbers:
                    row = {"sku": event.sku, "number": number, "delivery_id": event.delivery_id}
                    self.delivered_keys.put(row)
            case PurchaseFailed(supplier=supplier) | DeliveryHandedOver(supplier=str(supplier)):
                row = self._record_of(supplier)
                failed_at = recorded.at.isoformat()
                self.supplier_health.put({**row, "failures": row["failures"] + 1, "failed_at": failed_at})
            case SupplierDelivered(supplier=supplier):
                row = self._record_of(supplier)
                self.supplier_health.put({**row, "failures": 0, "succeeded_at": recorded.at.isoformat()})
            case _:
                pass

    def _record_of(self, supplier: str) -> Row:
        return self.supplier_health.get(supplier) or {"supplier": supplier, "failures": 0}

    def delivered_before(self, opening: Opening) -> tuple[int, ...]:
        """The numbers among these keys that went to another delivery already, ascending."""
        rows = self.delivered_keys.get_many((opening.sku, number) for number in opening.numbers)
        return tuple(
            sorted(row["number"] for row in rows.values() if row and row["delivery_id"] != opening.delivery_id)
        )

    def health(self, suppliers: Iterable[str]) -> dict[str, Health]:
        """The records of these suppliers; those never asked are left out."""
        rows = self.supplier_health.get_many((supplier,) for supplier in suppliers)
        return {
            row["supplier"]: Health(row["failures"], _time(row.get("failed_at")), _time(row.get("succeeded_at")))
            for row in rows.values()
            if row
        }


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
