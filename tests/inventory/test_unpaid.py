"""Orders that nobody has paid for hold a bounded share of a product's stock."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain.unpaid import UnpaidLimits, holder
from services.inventory.reactions import on_order_placed, on_order_reopened, on_stock_put_back, on_stock_requested
from shared.contracts import Event
from shared.contracts.inventory import ListProduct, ReleaseStock, ReserveStock, StockReserved, StockShort
from shared.contracts.order import OrderReopened, StockPutBack, StockRequested
from tests.gateway.builders import line, placed
from tests.inventory.builders import LATER, SKU, Shop, a_listing, load, reserve, settle

ANN, BEA = (holder("ip", "192.0.2.1"),), (holder("ip", "192.0.2.2"), holder("customer", "bea"))


def stocked(keys: int, **limits: int) -> Shop:
    shop = Shop(unpaid=UnpaidLimits(**limits))
    shop.do(ListProduct(sku=SKU, listing=a_listing()))
    shop.do(load(*(f"k{number}" for number in range(keys))))
    return shop


def unpaid(order: str, quantity: int = 1, holders: tuple[str, ...] = ANN) -> ReserveStock:
    return reserve(order, quantity, unpaid=True, holders=holders)


def short_for(events: Iterable[Event]) -> list[str]:
    return [event.short_for for event in events if isinstance(event, StockShort)]


def test_unpaid_orders_hold_half_and_who_pays_may_have_all() -> None:
    shop = stocked(20, buyer_percent=100)
    assert not short_for(shop.do(unpaid("o1", 6)))
    assert not short_for(shop.do(unpaid("o2", 4, BEA)))
    (short,) = shop.do(unpaid("o3", 2, ("other",)))
    assert isinstance(short, StockShort)
    assert (short.short_for, short.available) == ("unpaid-share", 10)
    assert not short_for(shop.do(reserve("paid", 10)))


def test_one_address_holds_a_part_of_that_share_in_however_many_orders() -> None:
    shop = stocked(20)
    results = [short_for(shop.do(unpaid(f"o{number}"))) for number in range(8)]
    assert results == [[]] * 5 + [["buyer-share"]] * 3
    assert not short_for(shop.do(unpaid("bea", 5, BEA)))


def test_another_address_with_the_same_account_holds_no_more() -> None:
    shop = stocked(20)
    assert not short_for(shop.do(unpaid("o1", 5, BEA)))
    assert short_for(shop.do(unpaid("o2", 1, (holder("ip", "192.0.2.3"), holder("customer", "bea"))))) == [
        "buyer-share"
    ]


def test_three_orders_do_not_take_all_of_six_thousand_keys() -> None:
    shop = stocked(6_000)
    reserved = [event for number in range(3) for event in shop.do(unpaid(f"o{number}", 2_000, (f"guest-{number}",)))]
    assert [type(event) for event in reserved] == [StockShort] * 3
    shop = stocked(6_000, buyer_percent=100)
    reserved = [event for number in range(3) for event in shop.do(unpaid(f"o{number}", 2_000, (f"guest-{number}",)))]
    assert [type(event) for event in reserved] == [StockReserved, StockShort, StockShort]


def test_two_who_hold_half_shut_nobody_out_who_holds_none() -> None:
    shop = stocked(20)
    assert not short_for(shop.do(unpaid("ann", 5, ANN)) + shop.do(unpaid("bea", 5, BEA)))
    assert not short_for(shop.do(unpaid("cy", 1, ("cy",))))
    again = [shop.do(unpaid(f"again-{number}", 1, holders)) for number, holders in enumerate([ANN, BEA, ("cy",), ()])]
    assert [short_for(events) for events in again] == [["unpaid-share"]] * 4


def test_any_number_of_strangers_leaves_a_part_to_who_pays() -> None:
    shop = stocked(200)
    results = [short_for(shop.do(unpaid(f"o{number}", 1, (f"stranger-{number}",)))) for number in range(400)]
    assert results == [[]] * 180 + [["unpaid-share"]] * 220
    assert not short_for(shop.do(reserve("paid", 20)))


@pytest.mark.parametrize("keys", [1, 2, 3])
def test_at_least_one_piece_may_be_unpaid(keys: int) -> None:
    shop = stocked(keys, small_order=0)
    assert not short_for(shop.do(unpaid("o1")))


def test_the_last_few_can_be_bought_at_once() -> None:
    shop = stocked(4)
    assert not short_for(shop.do(unpaid("o1", 4)))


def test_what_is_paid_given_back_or_sold_is_room_again() -> None:
    shop = stocked(4)
    shop.do(unpaid("o1", 1))
    assert short_for(shop.do(unpaid("o2", 1)))
    shop.do(ReleaseStock(sku=SKU, order_id="o1", line=1, reason="unpaid"))
    assert not short_for(shop.do(unpaid("o3", 1)))
    shop.do(settle("o3"))
    assert not short_for(shop.do(unpaid("o4", 1)))


def test_who_passes_a_review_holds_no_more_than_before_it() -> None:
    shop = stocked(20)
    for number in range(8):
        shop.do(unpaid(f"o{number}", 1))
        shop.do(ReleaseStock(sku=SKU, order_id=f"o{number}", line=1, reason="under review"))
    again = [short_for(shop.do(reserve(f"o{number}", 1, attempt=2, unpaid=True))) for number in range(8)]

    assert again == [[]] * 5 + [["buyer-share"]] * 3
    assert {held.holders for held in shop.state.stock.reserved.values()} == {ANN}


ASKED = st.tuples(st.integers(1, 9), st.sampled_from([ANN, BEA, ("x",), ("y",), ("z",), ()]), st.booleans())
PERCENT = st.integers(1, 100)


@given(st.integers(1, 40), st.lists(ASKED, max_size=12), PERCENT, PERCENT, PERCENT, st.integers(0, 5))
def test_no_more_is_ever_unpaid_than_the_limits_say_and_a_newcomer_gets_one(
    keys: int, asked: list[tuple[int, tuple[str, ...], bool]], share: int, own: int, kept: int, small: int
) -> None:
    shop = stocked(keys, share_percent=share, buyer_percent=own, kept_percent=kept, small_order=small)
    for number, (quantity, holders, is_paid) in enumerate(asked):
        before = shop.state.stock
        shop.do(reserve(f"o{number}", quantity) if is_paid else unpaid(f"o{number}", quantity, holders))
        stock = shop.state.stock
        held = [reservation for reservation in stock.reserved.values() if reservation.unpaid]
        pieces = sum(len(reservation.numbers) for reservation in held)
        free = keys - sum(len(reservation.numbers) for reservation in stock.reserved.values())
        open_ = free + pieces
        if is_paid or stock.reserved.keys() == before.reserved.keys():
            is_new = holders and not any(one in reservation.holders for reservation in held for one in holders)
            assert is_paid or not is_new or quantity > 1 or free * 100 <= open_ * kept or free <= 1
            continue
        if len(held) == 1 and pieces <= small:
            continue
        mine = {one: [len(it.numbers) for it in held if one in it.holders] for one in holders}
        is_first = quantity == 1 and bool(mine) and all(pieces_of == [1] for pieces_of in mine.values())
        assert (pieces - 1) * 100 < open_ * share or (is_first and free >= 1 and free * 100 >= open_ * kept)
        for pieces_of in mine.values():
            assert (sum(pieces_of) - 1) * 10_000 < (open_ * share + 99) * own


def test_an_order_at_a_channel_is_unpaid_and_one_from_a_wallet_is_not() -> None:
    (asked,) = on_order_placed(placed("o1", None, payment="alipay", ip="192.0.2.1", device=""))
    assert isinstance(asked, ReserveStock)
    assert (asked.unpaid, asked.holders) == (True, ANN)
    (asked,) = on_order_placed(placed("o1", "c1", payment="wallet"))
    assert isinstance(asked, ReserveStock)
    assert (asked.unpaid, asked.holders) == (False, ())
    (asked,) = on_order_reopened(OrderReopened(order_id="o1", lines=(line(),), attempt=2, reserved_until=LATER))
    assert isinstance(asked, ReserveStock)
    assert not asked.unpaid


def test_an_order_under_review_gives_its_stock_back_and_asks_again() -> None:
    lines = (line(1), line(2, source="manual"))
    under_review = StockPutBack(order_id="o1", lines=lines)
    assert on_stock_put_back(under_review) == [
        ReleaseStock(sku="STEAM-50", order_id="o1", line=1, reason="under review")
    ]
    for paid in (False, True):
        requested = StockRequested(order_id="o1", lines=lines, attempt=2, paid=paid, reserved_until=LATER)
        (asked,) = on_stock_requested(requested)
        assert isinstance(asked, ReserveStock)
        assert (asked.attempt, asked.unpaid, asked.holders) == (2, not paid, ())
