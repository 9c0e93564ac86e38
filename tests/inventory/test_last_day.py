"""Keys whose last good day is over."""

from datetime import UTC, datetime, timedelta

from services.inventory.domain.stock import available
from shared.contracts import Shop as ShopOf
from shared.contracts.inventory import (
    ExpireKeys,
    KeysExpired,
    ReservationExpired,
    StockRanLow,
    StockShort,
)
from shared.values.days import zone
from tests.inventory.builders import (
    NOW,
    SKU,
    TODAY,
    TOMORROW,
    a_shop,
    load,
    picked,
    release,
    reserve,
    settle,
)


def test_what_day_it_is_comes_from_the_decision() -> None:
    shop = a_shop(load("a", expires_on=TODAY))
    shop.now = NOW + timedelta(days=1)

    [event] = shop.do(reserve("o1"))

    assert isinstance(event, StockShort)


class TestTheEndOfALastDay:
    """The shop is in Shanghai, where a day is over at 16:00 UTC."""

    MIDNIGHT = datetime(2026, 3, 1, 16, tzinfo=UTC)
    OVER = ExpireKeys(sku=SKU, expires_on=TODAY)

    def test_a_key_is_sold_until_midnight_where_the_shop_is(self) -> None:
        shop = a_shop(load("a", "b", expires_on=TODAY))

        shop.now = self.MIDNIGHT - timedelta(microseconds=1)
        assert picked(shop, "o1", 1) == [1]

        shop.now = self.MIDNIGHT
        [short] = shop.do(reserve("o2"))
        assert isinstance(short, StockShort)
        assert short.available == 0

    def test_what_is_left_is_recorded_once_the_day_is_over(self) -> None:
        shop = a_shop(
            load("a", "b", expires_on=TODAY), load("c"), load("d", expires_on=TOMORROW), low_stock_threshold=2
        )
        assert shop.do(self.OVER) == []

        shop.now = self.MIDNIGHT
        assert shop.do(self.OVER) == [
            KeysExpired(sku=SKU, expires_on=TODAY, count=2, available=2),
            StockRanLow(sku=SKU, available=2, threshold=2),
        ]

    def test_nothing_is_recorded_where_all_were_sold(self) -> None:
        shop = a_shop(load("a", expires_on=TODAY), low_stock_threshold=2)
        shop.do(reserve("o1"))
        shop.do(settle("o1"))

        shop.now = self.MIDNIGHT
        assert shop.do(self.OVER) == []

    def test_an_order_that_holds_such_keys_is_asked_to_give_them_up_once(self) -> None:
        shop = a_shop(load("a", expires_on=TODAY), load("b"))
        shop.do(reserve("o1"))
        shop.do(reserve("o2"))

        shop.now = self.MIDNIGHT
        assert shop.do(self.OVER) == [ReservationExpired(sku=SKU, order_id="o1", line=1, attempt=1)]
        assert shop.do(self.OVER) == []
        assert shop.do(release("o1"))
        assert available(shop.state.stock, TOMORROW) == 0, "what comes back is over all the same"

    def test_the_zone_decides_and_not_utc(self) -> None:
        shop = a_shop(load("a", expires_on=TODAY))
        assert shop.ask(reserve("o1")).events

        shop.place = ShopOf(zone=zone("Pacific/Kiritimati"))  # where it is the second of March already
        [short] = shop.ask(reserve("o1")).events
        assert isinstance(short, StockShort)
