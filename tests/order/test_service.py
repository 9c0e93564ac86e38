from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from services.inventory.service import SERVICE as INVENTORY
from services.order.service import SERVICE as ORDER
from services.order.settings import OrderSettings
from shared.contracts.inventory import ListProduct, SetSale
from shared.contracts.order import (
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderPlaced,
    OrderReopened,
)
from tests.order.builders import LISTINGS, delivered, held, place, screened, wish
from tests.platform.harness import START, Harness


@pytest.fixture
def shop(tmp_path: Path) -> Harness:
    harness = Harness(tmp_path, [INVENTORY, ORDER])
    for sku in ("card", "course"):
        harness.send("inventory", ListProduct(sku=sku, listing=LISTINGS[sku]))
    return harness


def last(shop: Harness) -> object:
    return shop.events("order")[-1]


def test_an_order_is_quoted_from_what_inventory_lists(shop: Harness):
    reply = shop.send("order", place(wish("course", 2)))
    assert reply.outcome == "accepted"
    assert reply.answer["total"] == 40_000
    shop.send("inventory", SetSale(sku="course", on_sale=False))
    refused = shop.send("order", place(wish("course"), order_id="o2"))
    assert (refused.outcome, refused.code, refused.status) == ("refused", "off-sale", 409)


def test_stock_that_is_short_cancels(shop: Harness):
    shop.send("order", place(wish("card")))
    event = last(shop)
    assert isinstance(event, OrderCancelled)
    assert event.reason == "short-stock"


def test_an_order_runs_to_its_end(shop: Harness):
    shop.send("order", place(wish("course")))
    for answer in (screened(), held(), delivered()):
        shop.send("order", answer)
    assert isinstance(last(shop), OrderCompleted)
    before = shop.events("order")
    shop.advance(2 * 86_400)
    assert shop.events("order") == before
    assert not shop.parked()


def test_waits_run_out_by_the_clock_and_a_late_payment_reopens(shop: Harness):
    shop.send("order", place(wish("course")))
    shop.advance(shop.settings.of(OrderSettings).pay_within_seconds - 1)
    assert isinstance(last(shop), OrderPlaced)
    shop.advance(1)
    cancelled = last(shop)
    assert isinstance(cancelled, OrderCancelled)
    assert cancelled.reason == "unpaid"
    shop.send("order", held())
    assert isinstance(last(shop), OrderReopened)
    shop.send("order", screened("review"))
    shop.advance(shop.settings.of(OrderSettings).answer_within_seconds + 1)
    assert not isinstance(last(shop), OrderCancelled)
    shop.send("order", screened("pass"))
    assert isinstance(last(shop), OrderConfirmed)


def test_an_order_goes_on_after_a_restart(shop: Harness):
    shop.send("order", place(wish("course")))
    shop.send("order", screened())
    again = Harness(shop.folder, [INVENTORY, ORDER], now=START + timedelta(minutes=1))
    again.send("order", held())
    assert isinstance(last(again), OrderConfirmed)
    repeated = again.send("order", place(wish("course")))
    assert repeated.answer["repeated"] is True
