from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter

from services.inventory.domain import Product, ranges
from services.inventory.domain.listing import MOST_COST
from services.inventory.domain.stock import REMEMBERED_LINES, Ended, available
from shared.contracts import Money, Refused
from shared.contracts.base import MAX_MINOR_UNITS
from shared.contracts.inventory import (
    ExpireReservation,
    KeyFaulted,
    KeysLoaded,
    ListProduct,
    ReservationExpired,
    ReservedKey,
    StockRanLow,
    StockReleased,
    StockReserved,
    StockSettled,
    StockShort,
)
from tests.amounts import minor
from tests.inventory.builders import (
    LATER,
    SKU,
    TODAY,
    TOMORROW,
    YESTERDAY,
    Shop,
    a_listing,
    a_shop,
    fault,
    load,
    picked,
    release,
    reserve,
    sealed,
    settle,
)


def expire(order: str, attempt: int = 1) -> ExpireReservation:
    return ExpireReservation(sku=SKU, order_id=order, line=1, attempt=attempt)


def reserved(order: str, *numbers: int, boxes: str, attempt: int = 1) -> StockReserved:
    keys = tuple(ReservedKey(number=number, box=f"box-{name}") for number, name in zip(numbers, boxes, strict=True))
    return StockReserved(sku=SKU, order_id=order, line=1, attempt=attempt, keys=keys, expires_at=LATER)


class TestLoading:
    def test_keys_are_numbered_in_the_order_of_loading(self) -> None:
        shop = a_shop(load("a", "b"))

        outcome = shop.ask(load("c", batch="b2", cost=minor(90), expires_on=TOMORROW))

        assert outcome.events == [
            KeysLoaded(
                sku=SKU,
                batch_id="b2",
                first=3,
                keys=sealed("c"),
                cost=minor(90),
                expires_on=TOMORROW,
                over_from=datetime(2026, 3, 2, 16, tzinfo=UTC),
            )
        ]
        assert outcome.answer == {"loaded": 1, "duplicates": []}

    def test_duplicates_of_earlier_keys_and_inside_the_command_are_left_out(self) -> None:
        shop = a_shop(load("a", "b"))

        outcome = shop.ask(load("c", "a", "c", "d"))

        assert outcome.events == [KeysLoaded(sku=SKU, batch_id="b1", first=3, keys=sealed("c", "d"))]
        assert outcome.answer == {"loaded": 2, "duplicates": [1, 2]}

    def test_nothing_new_is_no_event(self) -> None:
        outcome = a_shop(load("a", "b")).ask(load("a", "b"))

        assert list(outcome.events) == []
        assert outcome.answer == {"loaded": 0, "duplicates": [0, 1]}

    def test_a_dry_run_decides_the_same_and_does_nothing(self) -> None:
        outcome = a_shop(load("a")).ask(load("a", "b", dry_run=True))

        assert list(outcome.events) == []
        assert outcome.answer == {"loaded": 1, "duplicates": [0]}

    def test_keys_whose_last_day_is_over_are_not_loaded(self) -> None:
        shop = a_shop(load("a"))

        outcome = shop.ask(load("a", "b", expires_on=YESTERDAY))

        assert list(outcome.events) == []
        assert outcome.answer == {"loaded": 0, "duplicates": [0], "expired": True}
        assert shop.do(load("c", expires_on=TODAY)), "the last day itself is a good one"

    def test_an_unlisted_product_takes_no_keys(self) -> None:
        with pytest.raises(Refused) as refusal:
            Shop().ask(load("a"))

        assert (refusal.value.code, refusal.value.status) == ("unknown-sku", 404)

    def test_a_product_of_suppliers_takes_no_keys(self) -> None:
        with pytest.raises(Refused) as refusal:
            a_shop(source="supplier").ask(load("a"))

        assert (refusal.value.code, refusal.value.status) == ("not-from-keys", 422)

    @pytest.mark.parametrize(("cost", "code"), [(minor(-1), "negative-cost"), (minor(1, "USD"), "mixed-currency")])
    def test_an_unacceptable_cost_is_refused(self, cost: Money, code: str) -> None:
        with pytest.raises(Refused) as refusal:
            a_shop().ask(load("a", cost=cost))

        assert refusal.value.code == code

    def test_chunks_of_one_batch_are_one_range(self) -> None:
        shop = a_shop(*(load(*(f"{chunk}-{key}" for key in range(100))) for chunk in range(20)))

        [lot] = shop.state.stock.lots
        assert (lot.numbers, lot.free, lot.open) == (((1, 2_000),), ((1, 2_000),), 2_000)


class TestReserving:
    def test_keys_are_set_aside_with_their_boxes(self) -> None:
        shop = a_shop(load("a", "b", "c"))

        assert shop.do(reserve("o1", 2)) == [reserved("o1", 1, 2, boxes="ab")]
        assert shop.do(reserve("o2")) == [reserved("o2", 3, boxes="c")]

    def test_all_or_nothing(self) -> None:
        shop = a_shop(load("a", "b"))

        assert shop.do(reserve("o1", 3)) == [
            StockShort(sku=SKU, order_id="o1", line=1, attempt=1, quantity=3, available=2)
        ]
        assert available(shop.state.stock, TODAY) == 2

    def test_an_unlisted_product_is_short(self) -> None:
        [event] = Shop().do(reserve("o1"))

        assert isinstance(event, StockShort)
        assert event.available == 0

    def test_the_first_to_expire_goes_first_and_what_never_expires_goes_last(self) -> None:
        shop = a_shop(
            load("a", batch="b1"),
            load("b", batch="b2", expires_on=TOMORROW + timedelta(days=1)),
            load("c", "d", batch="b3", expires_on=TOMORROW),
            load("e", batch="b4"),
        )

        assert picked(shop, "o1", 5) == [3, 4, 2, 1, 5]

    def test_a_key_sells_on_its_last_day_and_not_after(self) -> None:
        shop = a_shop(load("a", expires_on=TODAY), load("b", batch="b2", expires_on=YESTERDAY))

        assert picked(shop, "o1", 1) == [1]
        assert shop.do(reserve("o2")) == [
            StockShort(sku=SKU, order_id="o2", line=1, attempt=1, quantity=1, available=0)
        ]

    def test_the_same_attempt_again_changes_nothing(self) -> None:
        shop = a_shop(load("a", "b"))
        shop.do(reserve("o1"))

        assert shop.do(reserve("o1")) == []

    def test_two_lines_of_one_order_are_two_reservations(self) -> None:
        shop = a_shop(load("a", "b"))
        shop.do(reserve("o1", line=1))

        assert len(shop.do(reserve("o1", line=2))) == 1

    def test_a_newer_attempt_takes_the_place_of_an_older_one(self) -> None:
        shop = a_shop(load("a", "b"))
        shop.do(reserve("o1", 2))

        events = shop.do(reserve("o1", 2, attempt=2))

        assert events == [
            StockReleased(sku=SKU, order_id="o1", line=1, numbers=(1, 2), reason="superseded by attempt 2"),
            reserved("o1", 1, 2, boxes="ab", attempt=2),
        ]

    @pytest.mark.parametrize("attempt", [1, 2])
    def test_an_attempt_not_newer_than_the_last_changes_nothing(self, attempt: int) -> None:
        shop = a_shop(load("a", "b"))
        shop.do(reserve("o1", attempt=2))
        assert shop.do(reserve("o1", attempt=attempt)) == []

        shop.do(release("o1"))

        assert shop.do(reserve("o1", attempt=attempt)) == []

    def test_a_shortage_is_recorded_once_an_attempt(self) -> None:
        shop = a_shop()
        shop.do(reserve("o1"))
        shop.do(load("a"))

        assert shop.do(reserve("o1")) == []
        assert shop.do(reserve("o1", attempt=2)) == [reserved("o1", 1, boxes="a", attempt=2)]

    def test_a_sold_line_is_never_reserved_again(self) -> None:
        shop = a_shop(load("a", "b"))
        shop.do(reserve("o1"))
        shop.do(settle("o1"))

        assert shop.do(reserve("o1", attempt=1)) == []
        assert shop.do(reserve("o1", attempt=2)) == []


class TestRunningLow:
    def test_crossing_the_threshold_is_recorded_once(self) -> None:
        shop = a_shop(load("a", "b", "c", "d"), low_stock_threshold=2)

        assert len(shop.do(reserve("o1"))) == 1
        assert shop.do(reserve("o2"))[1:] == [StockRanLow(sku=SKU, available=2, threshold=2)]
        assert len(shop.do(reserve("o3"))) == 1

    def test_it_is_recorded_again_after_stock_came_back(self) -> None:
        shop = a_shop(load("a", "b"), low_stock_threshold=1)
        shop.do(reserve("o1"))
        shop.do(release("o1"))

        assert shop.do(reserve("o2"))[1:] == [StockRanLow(sku=SKU, available=1, threshold=1)]

    def test_a_newer_attempt_alone_does_not_cross(self) -> None:
        shop = a_shop(load("a", "b"), low_stock_threshold=1)
        shop.do(reserve("o1"))

        assert [type(event) for event in shop.do(reserve("o1", attempt=2))] == [StockReleased, StockReserved]

    def test_no_threshold_no_alert(self) -> None:
        assert len(a_shop(load("a")).do(reserve("o1"))) == 1


class TestEnding:
    def test_released_keys_are_free_again(self) -> None:
        shop = a_shop(load("a", "b", "c"))
        shop.do(reserve("o1", 2))

        assert shop.do(release("o1")) == [
            StockReleased(sku=SKU, order_id="o1", line=1, numbers=(1, 2), reason="unpaid")
        ]
        assert shop.do(release("o1")) == []
        assert picked(shop, "o2", 3) == [1, 2, 3]

    def test_delivered_keys_are_sold_at_what_they_cost(self) -> None:
        shop = a_shop(load("a", "b", cost=minor(90)), load("c", batch="b2", cost=minor(80)))
        shop.do(reserve("o1", 3))

        assert shop.do(settle("o1")) == [
            StockSettled(sku=SKU, order_id="o1", line=1, numbers=(1, 2, 3), cost=minor(260))
        ]
        assert shop.do(settle("o1")) == []
        assert shop.do(release("o1")) == []
        assert (shop.state.stock.sold, shop.state.stock.lots) == (3, ())

    def test_the_cost_is_unknown_when_one_lot_does_not_tell(self) -> None:
        shop = a_shop(load("a", cost=minor(90)), load("b", batch="b2"))
        shop.do(reserve("o1", 2))

        [event] = shop.do(settle("o1"))

        assert isinstance(event, StockSettled)
        assert event.cost is None

    def test_the_cost_is_unknown_when_currencies_mix(self) -> None:
        shop = a_shop(load("a", cost=minor(90)))
        shop.do(ListProduct(sku=SKU, listing=a_listing(price=minor(700, "USD"))))
        shop.do(load("b", batch="b2", cost=minor(12, "USD")))
        shop.do(reserve("o1", 2))

        [event] = shop.do(settle("o1"))

        assert isinstance(event, StockSettled)
        assert event.cost is None

    def test_an_expiry_is_a_proposal_and_is_made_once(self) -> None:
        shop = a_shop(load("a"))
        shop.do(reserve("o1"))

        assert shop.do(expire("o1")) == [ReservationExpired(sku=SKU, order_id="o1", line=1, attempt=1)]
        assert shop.do(expire("o1")) == []
        assert len(shop.do(settle("o1"))) == 1

    def test_the_expiry_of_another_attempt_or_of_an_ended_one_is_void(self) -> None:
        shop = a_shop(load("a"))
        shop.do(reserve("o1"))
        shop.do(reserve("o1", attempt=2))
        assert shop.do(expire("o1", attempt=1)) == []

        shop.do(release("o1"))

        assert shop.do(expire("o1", attempt=2)) == []

    def test_only_the_latest_ended_lines_are_remembered(self) -> None:
        shop = a_shop()

        for order in range(REMEMBERED_LINES + 5):
            shop.do(reserve(f"o{order}"))

        ended = shop.state.stock.ended
        assert len(ended) == REMEMBERED_LINES
        assert "o4/1" not in ended
        assert ended[f"o{REMEMBERED_LINES + 4}/1"] == Ended(attempt=1, sold=False)


class TestFaults:
    def test_a_sold_key_is_faulted_once(self) -> None:
        shop = a_shop(load("a", "b"))
        shop.do(reserve("o1", 2))
        shop.do(settle("o1"))

        assert shop.do(fault("o1", 2)) == [KeyFaulted(sku=SKU, order_id="o1", number=2, reason="invalid")]
        assert shop.do(fault("o1", 2)) == []
        assert (shop.state.stock.sold, shop.state.stock.faulted) == (1, ((2, 2),))

    def test_a_reserved_key_is_faulted_and_the_rest_can_be_released(self) -> None:
        shop = a_shop(load("a", "b", "c"))
        shop.do(reserve("o1", 3))

        assert len(shop.do(fault("o1", 2))) == 1
        assert shop.do(release("o1")) == [
            StockReleased(sku=SKU, order_id="o1", line=1, numbers=(1, 3), reason="unpaid")
        ]
        assert picked(shop, "o2", 2) == [1, 3]

    def test_a_reservation_ends_with_its_last_key(self) -> None:
        shop = a_shop(load("a"))
        shop.do(reserve("o1"))
        shop.do(fault("o1", 1))

        assert shop.state.stock.reserved == {}
        assert shop.do(release("o1")) == []
        assert shop.do(settle("o1")) == []

    def test_nobody_faults_a_free_key_or_one_of_another_order(self) -> None:
        shop = a_shop(load("a", "b", "c"))
        shop.do(reserve("o1"))
        shop.do(settle("o1"))
        shop.do(reserve("o1/1"))

        assert shop.do(fault("o2", 1)) == []
        assert shop.do(fault("o1", 2)) == []
        assert shop.do(fault("o1", 3)) == []


def test_a_state_survives_json() -> None:
    shop = a_shop(load("a", "b", "c", cost=minor(9), expires_on=TOMORROW))
    shop.do(reserve("o1"))
    shop.do(settle("o1"))
    shop.do(reserve("o2", 2))
    snapshot = TypeAdapter(Product)

    assert snapshot.validate_json(snapshot.dump_json(shop.state)) == shop.state


def test_ranges_do_not_touch() -> None:
    assert ranges.spans([5, 1, 2, 9, 3]) == ((1, 3), (5, 5), (9, 9))


def test_what_keys_cost_together_is_an_amount_or_unknown_and_never_in_the_way_of_a_sale() -> None:
    shop = a_shop()
    for cost in (MOST_COST + 1, MAX_MINOR_UNITS):
        with pytest.raises(Refused) as refusal:
            shop.ask(load("a", cost=minor(cost)))
        assert (refusal.value.code, refusal.value.status) == ("cost-too-large", 422)

    shop.given([KeysLoaded(sku=SKU, batch_id="b", first=1, keys=sealed("a", "b"), cost=minor(MAX_MINOR_UNITS))])
    shop.do(reserve("o1", 2))
    [settled] = shop.do(settle("o1"))
    assert isinstance(settled, StockSettled)
    assert settled.cost is None
