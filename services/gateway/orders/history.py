"""The history of orders, from every log with events of orders: what happened, when, and who did it."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa

from services.gateway.resource_projection import OpenRows, ResourceProjection, folds, iso, metadata
from shared.contracts import Event, Money, events
from shared.contracts.order import OrderLine
from shared.eventstore.recorded import RecordedEvent

order_history = sa.Table(
    "order_history",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("summary", sa.JSON, nullable=False),
)

# Fields are named one by one, so that a field added to an event stays private until it is added here.
SHOWN = frozenset(
    {"amount", "attempt", "attempts", "available", "channel", "cost", "decision", "delivered", "full", "late", "line"}
    | {"number", "outcome", "paid", "payment", "quantity", "reason", "reasons", "refund_id", "refunded", "released"}
    | {"address", "shown"}  # of who opened deliveries
    | {"replaces", "reserved", "return_id", "sales_channel", "sku", "supplier", "template", "total", "undelivered"}
)
COUNTED = {"keys": "keys", "numbers": "keys", "goods": "goods"}


def summary(event: Event) -> dict[str, Any]:
    """The few facts of an event that staff may see: no keys, addresses of buyers or notes."""
    shown, counted = _fields(type(event))
    facts = {name: _plain(value) for name in shown if (value := getattr(event, name)) is not None}
    return facts | {COUNTED[name]: len(items) for name in counted if (items := getattr(event, name))}


@cache
def _fields(kind: type[Event]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The fields of an event that are shown, and those that are counted."""
    fields = tuple(kind.model_fields)
    return tuple(filter(SHOWN.__contains__, fields)), tuple(filter(COUNTED.__contains__, fields))


def _plain(value: Any) -> Any:
    match value:
        case Money():
            return {"amount": value.amount, "currency": value.currency}
        case OrderLine():
            return value.line
        case tuple():
            return list(value)
        case _:
            return value


OF_ORDERS: tuple[type[Event], ...] = tuple(kind for kind in events().values() if "order_id" in kind.model_fields)


class History(ResourceProjection):
    """One row for each event that names an order."""

    def __init__(self, rows: OpenRows) -> None:
        self._history = rows(order_history, keep=0)

    @folds(*OF_ORDERS)
    def happened(self, event: Event, recorded: RecordedEvent) -> None:
        order_id: str | None = getattr(event, "order_id", None)
        if order_id is None:
            return
        self._history.put(
            {
                "order_id": order_id,
                "source": recorded.source,
                "position": recorded.position,
                "at": iso(recorded.at),
                "event": recorded.name,
                "actor": recorded.meta.actor,
                "summary": summary(event),
            }
        )
