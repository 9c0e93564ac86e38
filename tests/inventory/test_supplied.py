"""Keys of ours that a supplier sent as well: they are not sold any more."""

from __future__ import annotations

import pytest

from services.inventory.domain.stock import available
from services.inventory.domain.stock_commands import Known, load
from services.inventory.reactions import WANTS, on_texts_found, on_texts_supplied
from shared.contracts import DecisionContext, Event, Metadata, Shop
from shared.contracts.fulfillment import SupplierDelivered
from shared.contracts.inventory import (
    KeyFaulted,
    KeysSupplied,
    KeysWithdrawn,
    ListProduct,
    ReleaseStock,
    SoldKey,
    StockKey,
    StockRanLow,
    StockReleased,
    StockReserved,
    StockShort,
    TextsFound,
    WithdrawKeys,
)
from tests.amounts import minor
from tests.inventory import builders
from tests.inventory.builders import NOW, SKU, a_listing, fault, reserve, settle

DELIVERY = "order-9/1"
DELIVERED = SupplierDelivered(
    delivery_id=DELIVERY, order_id="order-9", line=1, sku="OTHER", supplier="north", supplier_ref="n-1", cost=minor(900)
)  # fmt: skip


@pytest.fixture
def shop() -> builders.Shop:
    stocked = builders.Shop()
    stocked.do(ListProduct(sku=SKU, listing=a_listing()))
    stocked.do(builders.load("a", "b", "c", "d"))
    return stocked


def sent(*numbers: int, given: bool = True) -> WithdrawKeys:
    return WithdrawKeys(sku=SKU, numbers=numbers, delivery_id=DELIVERY, supplier="north", given=given)


def supplied(*numbers: int, sold: tuple[SoldKey, ...] = ()) -> KeysSupplied:
    return KeysSupplied(sku=SKU, delivery_id=DELIVERY, supplier="north", given=True, numbers=numbers, sold=sold)


def kinds(events: list[Event]) -> list[type[Event]]:
    return [type(event) for event in events]


def test_a_key_for_sale_is_withdrawn_at_once(shop: builders.Shop) -> None:
    assert shop.do(sent(2)) == [supplied(2), KeysWithdrawn(sku=SKU, numbers=(2,))]

    assert available(shop.state.stock, NOW.date()) == 3
    [reserved] = shop.do(reserve("o1", 3))
    assert isinstance(reserved, StockReserved)
    assert [key.number for key in reserved.keys] == [1, 3, 4]


def test_a_key_is_withdrawn_once(shop: builders.Shop) -> None:
    shop.do(sent(2))

    assert shop.do(sent(2)) == []
    assert shop.do(sent(2, 3)) == [supplied(3), KeysWithdrawn(sku=SKU, numbers=(3,))]


def test_a_reserved_key_is_withdrawn_when_it_comes_back(shop: builders.Shop) -> None:
    shop.do(reserve("o1", 2))

    assert shop.do(sent(1)) == [supplied(1)]

    back = shop.do(ReleaseStock(sku=SKU, order_id="o1", line=1, reason="unpaid"))
    assert kinds(back) == [StockReleased, KeysWithdrawn]
    assert back[1] == KeysWithdrawn(sku=SKU, numbers=(1,))
    assert available(shop.state.stock, NOW.date()) == 3


def test_a_further_attempt_does_not_take_it_again(shop: builders.Shop) -> None:
    shop.do(reserve("o1", 2))
    shop.do(sent(1, 3))

    again = shop.do(reserve("o1", 2, attempt=2))

    assert kinds(again) == [StockReleased, KeysWithdrawn, StockReserved]
    assert isinstance(again[2], StockReserved)
    assert [key.number for key in again[2].keys] == [2, 4]
    assert kinds(shop.do(reserve("o2"))) == [StockShort]


def test_a_sold_key_is_recorded_with_its_order(shop: builders.Shop) -> None:
    shop.do(reserve("o1", 2))
    shop.do(settle("o1"))

    assert shop.do(sent(2)) == [supplied(2, sold=(SoldKey(number=2, order_id="o1"),))]
    assert shop.state.stock.sold == 2


def test_a_reserved_key_in_doubt_is_faulted_as_any(shop: builders.Shop) -> None:
    shop.do(reserve("o1", 2))
    shop.do(sent(1))

    assert kinds(shop.do(fault("o1", 1))) == [KeyFaulted]
    assert kinds(shop.do(ReleaseStock(sku=SKU, order_id="o1", line=1, reason="failed"))) == [StockReleased]


def test_low_stock_is_recorded_when_keys_are_withdrawn(shop: builders.Shop) -> None:
    shop.do(ListProduct(sku=SKU, listing=a_listing(low_stock_threshold=3)))

    assert shop.do(sent(1, 2))[2:] == [StockRanLow(sku=SKU, available=2, threshold=3)]
    assert shop.do(sent(3))[2:] == []


def test_an_import_says_which_keys_a_supplier_has_sent(shop: builders.Shop) -> None:
    meta = Metadata(correlation_id="c", causation_id="c")
    known = Known(frozenset({"hash-x"}), frozenset({"hash-y"}))
    decided = load(
        builders.load("x", "y", "z"),
        shop.state.listing,
        shop.state.stock,
        DecisionContext(NOW, "c", meta, known, Shop()),
    )

    assert decided.answer == {"loaded": 1, "duplicates": [0, 1], "supplied": [1]}


def test_what_suppliers_send_is_compared_where_there_are_texts() -> None:
    assert on_texts_supplied(DELIVERED) == []
    assert not WANTS[SupplierDelivered](DELIVERED)
    [compare] = on_texts_supplied(DELIVERED.model_copy(update={"indexes": ("x",)}))
    assert (compare.delivery_id, compare.indexes, compare.given) == (DELIVERY, ("x",), True)  # type: ignore[attr-defined]


def test_keys_that_are_found_are_withdrawn_product_by_product() -> None:
    keys = (StockKey(sku=SKU, number=2), StockKey(sku="OTHER", number=7), StockKey(sku=SKU, number=5))
    found = TextsFound(delivery_id=DELIVERY, supplier="north", given=True, keys=keys)

    assert on_texts_found(found) == [sent(2, 5), sent(7).model_copy(update={"sku": "OTHER"})]
