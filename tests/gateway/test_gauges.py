"""What the read models tell Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from services.gateway import metrics
from services.gateway.callbacks.projection import unread
from services.gateway.deliveries.projection import deliveries
from services.gateway.orders.projection import orders
from services.gateway.payments.projection import payments
from services.gateway.products.projection import products
from services.gateway.resource_projection import metadata
from services.gateway.risk.projection import risk_cases
from services.gateway.unmatched.projection import unmatched
from shared.eventstore.engines import open_engine
from shared.eventstore.log import to_text
from shared.runtime.settings import Settings
from tests.databases import NewDatabase

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Models:
    """Read models that are filled by hand."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        metadata.create_all(engine)

    def put(self, table: sa.Table, **row: Any) -> None:
        """A row; columns that are not given are empty."""
        blank = {
            column.name: {str: "", int: 0, bool: False}.get(column.type.python_type, [])
            for column in table.columns
            if not column.nullable
        }
        with self._engine.begin() as connection:
            connection.execute(sa.insert(table).values(blank | row))

    def order(self, order_id: str, status: str, *, ago: float, **more: Any) -> None:
        at = to_text(NOON - timedelta(seconds=ago))
        times = {"placed": "placed_at", "paid": "paid_at", "delivering": "confirmed_at"}
        self.put(
            orders, order_id=order_id, status=status, currency="CNY", **{times.get(status, "placed_at"): at}, **more
        )

    def gauges(self) -> dict[tuple[str, ...], float]:
        """Each figure, by name and labels."""
        with self._engine.connect() as connection:
            found = list(metrics.gauges(connection, NOON, Settings()))
        return {(metric.name.removeprefix("kameng_"), *labels): value for metric, labels, value in found}


@pytest.fixture
def models(new_database: NewDatabase) -> Iterator[Models]:
    opened = open_engine(new_database(), writer=True)
    yield Models(opened)
    opened.dispose()


def test_an_empty_shop_tells_zeros(models: Models) -> None:
    gauges = models.gauges()

    assert set(gauges.values()) == {0}
    assert gauges["orders_open", "review"] == 0
    assert gauges["keys", "faulted"] == 0
    assert gauges["holds", "CNY"] == 0


def test_open_orders_are_counted_by_what_they_wait_for(models: Models) -> None:
    models.order("1", "placed", ago=10)
    models.order("2", "placed", ago=30)
    models.order("3", "paid", ago=5)
    models.order("4", "paid", ago=7, screening="review")
    models.order("5", "delivering", ago=90, screening="pass")
    models.order("6", "completed", ago=9_000)

    gauges = models.gauges()

    steps = ("payment", "answers", "review", "delivery")
    assert [gauges["orders_open", step] for step in steps] == [2, 1, 1, 1]
    assert [gauges["order_oldest_seconds", step] for step in steps] == [30, 5, 7, 90]
    assert gauges["holds", "CNY"] == 3


def test_stock_is_low_at_its_threshold_and_only_where_keys_are_sold(models: Models) -> None:
    stock = {"kind": "card", "source": "keys", "on_sale": True, "low_stock_threshold": 5}
    models.put(products, sku="a", available=6, sold=1, **stock)
    models.put(products, sku="b", available=5, reserved=2, **stock)
    models.put(products, sku="c", available=0, **stock)
    models.put(products, sku="d", available=0, **{**stock, "on_sale": False})
    models.put(products, sku="e", available=0, **{**stock, "source": "supplier"})

    gauges = models.gauges()

    assert (gauges["products_on_sale",], gauges["products_low_stock",], gauges["products_sold_out",]) == (4, 2, 1)
    assert [gauges["keys", state] for state in ("available", "reserved", "sold")] == [11, 2, 1]


def test_what_waits_for_people_is_counted_with_its_age(models: Models) -> None:
    at = to_text(NOON - timedelta(hours=2))
    models.put(deliveries, order_id="1", line=1, delivery_id="1/1", status="handed-over", handed_over_at=at)
    models.put(deliveries, order_id="1", line=2, delivery_id="1/2", status="delivered", handed_over_at=at)
    models.put(risk_cases, order_id="2", status="open", screened_at=at)
    models.put(risk_cases, order_id="3", status="blocked", screened_at=at)

    gauges = models.gauges()

    assert (gauges["deliveries_handed_over",], gauges["deliveries_handed_over_oldest_seconds",]) == (1, 7_200)
    assert (gauges["risk_cases_open",], gauges["risk_cases_oldest_seconds",]) == (1, 7_200)


def test_money_that_waits_for_people_is_counted_with_its_age(models: Models) -> None:
    early, late = to_text(NOON - timedelta(hours=3)), to_text(NOON - timedelta(hours=2))
    models.put(unmatched, item="a", status="open", opened_at=late)
    models.put(unmatched, item="b", status="open", opened_at=early)
    models.put(unmatched, item="c", status="settled", opened_at=to_text(NOON - timedelta(days=1)))
    failed, paid = {"status": "failed", "at": late}, {"status": "returned", "at": early}
    models.put(payments, payment_id="1", failed_returns=2, returns={"x": failed, "y": paid, "z": failed})
    models.put(payments, payment_id="2", failed_returns=0, returns={"x": paid})
    models.put(payments, payment_id="3", closing="not-closed", closing_since=late)
    models.put(payments, payment_id="4", closing="closed", closing_since=early)
    models.put(unread, statement_id="a", kind="channel", status="open", told_at=late)
    models.put(unread, statement_id="b", kind="channel", status="settled", told_at=early)

    gauges = models.gauges()

    assert (gauges["payments_unmatched",], gauges["payments_unmatched_oldest_seconds",]) == (2, 10_800)
    assert (gauges["payments_not_closed",], gauges["payments_not_closed_oldest_seconds",]) == (1, 7_200)
    assert (gauges["returns_failed",], gauges["returns_failed_oldest_seconds",]) == (2, 7_200)
    assert [gauges["statements_unread", kind] for kind in ("channel", "supplier")] == [1, 0]
    assert gauges["statements_unread_oldest_seconds", "channel"] == 7_200
