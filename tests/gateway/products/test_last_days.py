"""What is shown of stock is what can be sold at that instant, whether anybody buys or not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway import metrics
from services.gateway.products.projection import expired, expiring_keys, products
from services.gateway.read_models import ReadModels
from services.gateway.service import SERVICE as GATEWAY
from services.inventory.domain import ProductCommand
from services.inventory.domain.stock import available
from services.inventory.service import SERVICE as INVENTORY
from services.notification.service import SERVICE as NOTIFICATION
from shared.contracts.inventory import KeysExpired, ListProduct, ReleaseStock, StockRanLow, WithdrawKeys
from shared.contracts.notification import MessageQueued
from shared.eventstore.engines import open_engine
from shared.values.days import day_of, zone
from tests.databases import in_memory
from tests.gateway.builders import Logs, fold, open_shop
from tests.inventory.builders import NOW, SKU, TODAY, Shop, a_listing, fault, load, reserve, settle
from tests.platform.harness import Harness

SHANGHAI = zone("Asia/Shanghai")
MIDNIGHT = datetime(2026, 3, 1, 16, tzinfo=UTC)


def shown(engine: sa.Engine, today: date) -> int:
    """What the read models say is available on this day."""
    over = expired(today)
    left = products.c.available - sa.func.coalesce(over.c.expired, 0)
    statement = sa.select(left).select_from(products.outerjoin(over, over.c.sku == products.c.sku))
    with engine.connect() as connection:
        return connection.execute(statement).scalar_one()


def a_load(first: int, count: int, last_day: date | None) -> ProductCommand:
    return load(*(f"k{number}" for number in range(first, first + count)), expires_on=last_day)


ORDERS = st.sampled_from(["o1", "o2", "o3"])
STEPS = st.one_of(
    st.tuples(st.just("load"), st.integers(1, 5), st.none() | st.integers(0, 3)),
    st.tuples(st.just("wait"), st.integers(1, 60), st.none()),
    st.builds(reserve, ORDERS, st.integers(1, 4)),
    st.builds(lambda order: ReleaseStock(sku=SKU, order_id=order, line=1, reason="unpaid"), ORDERS),
    st.builds(settle, ORDERS),
    st.builds(fault, ORDERS, st.integers(1, 12)),
)


@settings(max_examples=60)
@given(st.lists(STEPS, max_size=25))
def test_the_figure_is_what_the_decision_would_find(steps: list[Any]) -> None:
    shop, logs, loaded = Shop(), Logs(), 0
    engine = in_memory()
    ReadModels.metadata.create_all(engine)

    def do(command: ProductCommand) -> None:
        fold(engine, [logs.record(event) for event in shop.do(command)])

    do(ListProduct(sku=SKU, listing=a_listing()))
    for step in steps:
        today = day_of(shop.now, SHANGHAI)
        match step:
            case ("load", count, ahead):
                do(a_load(loaded, count, None if ahead is None else today + timedelta(days=ahead)))
                loaded += count
            case ("wait", hours, _):
                shop.now += timedelta(hours=hours)
            case command:
                do(command)
        for day in (today + timedelta(days=ahead) for ahead in range(5)):
            assert shown(engine, day) == available(shop.state.stock, day)
    with engine.connect() as connection:
        assert all(row.free > 0 for row in connection.execute(sa.select(expiring_keys)))


def test_at_midnight_the_figures_fall_and_staff_hear_of_it_without_anybody_buying(tmp_path: Path) -> None:
    harness = Harness(tmp_path, [INVENTORY, GATEWAY, NOTIFICATION], now=NOW)
    harness.send("inventory", ListProduct(sku=SKU, listing=a_listing(low_stock_threshold=1)))
    harness.send("inventory", load("a", "b", expires_on=TODAY))
    harness.send("inventory", load("c"))
    reads = open_engine(f"sqlite:///{tmp_path / 'gateway.sqlite3'}", writer=False)

    def stock_gauges() -> tuple[float, float, float]:
        with reads.connect() as connection:
            found = metrics.gauges(connection, harness.now, harness.settings)
            values = {(metric, *labels): value for metric, labels, value in found}
        return values[metrics.KEYS, "available"], values[metrics.KEYS, "expired"], values[(metrics.PRODUCTS_LOW,)]

    harness.advance((MIDNIGHT - NOW).total_seconds() - 1)
    assert stock_gauges() == (3, 0, 0)
    assert harness.events("inventory", KeysExpired) == []

    harness.advance(1)
    assert stock_gauges() == (1, 2, 1)
    assert harness.events("inventory", KeysExpired, StockRanLow) == [
        KeysExpired(sku=SKU, expires_on=TODAY, count=2, available=1),
        StockRanLow(sku=SKU, available=1, threshold=1),
    ]
    assert len(harness.events("notification", MessageQueued)) == 1
    assert not harness.parked()


def test_buyers_and_staff_are_shown_what_is_good_today(tmp_path: Path) -> None:
    shop, inventory = open_shop(tmp_path), Shop()
    for command in (ListProduct(sku=SKU, listing=a_listing()), load("a", "b", expires_on=TODAY), load("c")):
        shop.backend.happen(*inventory.do(command))

    def stock(headers: dict[str, str] | None = None) -> list[dict[str, int]]:
        one = shop.client.get(f"/v1/products/{SKU}", headers=headers).json()
        (other,) = shop.client.get("/v1/products", headers=headers).json()["items"]
        return [one["stock"], other["stock"]]

    assert stock() == [{"available": 3}] * 2
    shop.clock.now = MIDNIGHT
    assert stock() == [{"available": 1}] * 2
    all_of_it = {"available": 1, "loaded": 3, "reserved": 0, "sold": 0, "faulted": 0, "withdrawn": 0, "expired": 2}
    assert stock(shop.staff("operations")) == [all_of_it] * 2


def test_withdrawn_keys_are_shown_as_such_and_counted_by_their_last_day(tmp_path: Path) -> None:
    shop, inventory = open_shop(tmp_path), Shop()
    sent = WithdrawKeys(sku=SKU, numbers=(1, 2, 3), delivery_id="o-9/1", supplier="north", given=True)
    loads = (load("a", "b", expires_on=TODAY), load("c", "d"))
    for command in (ListProduct(sku=SKU, listing=a_listing()), *loads, reserve("o1"), sent):
        shop.backend.happen(*inventory.do(command))

    def stock() -> dict[str, int]:
        return dict(shop.client.get(f"/v1/products/{SKU}", headers=shop.staff("operations")).json()["stock"])

    whole = {"loaded": 4, "sold": 0, "faulted": 0, "expired": 0}
    assert stock() == {**whole, "available": 1, "reserved": 1, "withdrawn": 2}
    shop.backend.happen(*inventory.do(ReleaseStock(sku=SKU, order_id="o1", line=1, reason="unpaid")))
    assert stock() == {**whole, "available": 1, "reserved": 0, "withdrawn": 3}
    shop.clock.now = MIDNIGHT
    assert stock() == {**whole, "available": 1, "reserved": 0, "withdrawn": 3}
