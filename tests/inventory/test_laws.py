"""Whatever is asked of a product in whatever order, its stock adds up and no key is in two places."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.inventory.domain import ProductCommand, ranges
from services.inventory.domain.ranges import Ranges
from services.inventory.domain.stock import Stock, available, pick
from shared.contracts import Event, Money
from shared.contracts.inventory import (
    ExpireReservation,
    KeyFaulted,
    KeysLoaded,
    ListProduct,
    ReleaseStock,
    StockReleased,
    StockReserved,
    StockSettled,
)
from tests.amounts import minor
from tests.inventory.builders import SKU, TODAY, Shop, a_listing, fault, load, reserve, settle

orders = st.sampled_from(["o1", "o2", "o3"])
lines = st.integers(1, 2)
attempts = st.integers(1, 4)


def assert_laws(stock: Stock) -> None:
    """Raises AssertionError when a count or the partition of the numbers is wrong."""
    free = [number for lot in stock.lots for number in ranges.members(lot.free)]
    reserved = [number for held in stock.reserved.values() for number in held.numbers]
    faulted = list(ranges.members(stock.faulted))
    assert len(reserved) + stock.sold + len(free) + len(faulted) == stock.loaded
    placed = Counter([*free, *reserved, *faulted])
    assert max(placed.values(), default=1) == 1, "a number is in two places"
    assert set(placed) <= set(range(1, stock.loaded + 1))
    assert sum(lot.open for lot in stock.lots) == len(free) + len(reserved)
    for lot in stock.lots:
        assert lot.open > 0
        assert ranges.common(lot.free, lot.numbers) == lot.free


class Whereabouts:
    """Where every key is, told from the events alone and never from the state."""

    def __init__(self) -> None:
        self.place: dict[int, str] = {}
        self.expires: dict[int, date | None] = {}
        self.owner: dict[int, tuple[str, int]] = {}

    def live(self, event: Event, today: date) -> None:
        match event:
            case KeysLoaded():
                for number, _ in enumerate(event.keys, event.first):
                    assert number not in self.place
                    self.place[number], self.expires[number] = "free", event.expires_on
            case StockReserved():
                for key in event.keys:
                    expires = self.expires[key.number]
                    assert expires is None or expires >= today, "an expired key was reserved"
                    self._move(key.number, {"free"}, "reserved")
                    self.owner[key.number] = (event.order_id, event.line)
            case StockReleased():
                for number in event.numbers:
                    assert self.owner.pop(number) == (event.order_id, event.line)
                    self._move(number, {"reserved"}, "free")
            case StockSettled():
                for number in event.numbers:
                    assert self.owner[number] == (event.order_id, event.line)
                    self._move(number, {"reserved"}, "sold")
            case KeyFaulted():
                assert self.owner[event.number][0] == event.order_id
                self._move(event.number, {"reserved", "sold"}, "faulted")
            case _:
                pass

    def _move(self, number: int, origins: set[str], to: str) -> None:
        assert self.place[number] in origins, f"{number} went from {self.place[number]} to {to}"
        self.place[number] = to


class AProduct(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.shop, self.keys, self.loads = Shop(), Whereabouts(), 0
        self.shop.do(ListProduct(sku=SKU, listing=a_listing(low_stock_threshold=2)))

    def ask(self, command: ProductCommand) -> list[Event]:
        events = list(self.shop.ask(command).events)
        for event in events:
            self.keys.live(event, self.shop.now.date())
            self.shop.live(event)
            assert_laws(self.shop.state.stock)
        return events

    @rule(
        count=st.integers(1, 6),
        batch=st.sampled_from(["b1", "b2"]),
        days=st.none() | st.integers(-1, 4),
        cost=st.none() | st.just(minor(90)),
    )
    def load(self, count: int, batch: str, days: int | None, cost: Money | None) -> None:
        names = [f"k{self.loads + n}" for n in range(count)]
        self.loads += max(1, count - 1)  # the next load repeats one of these
        expires_on = None if days is None else TODAY + timedelta(days=days)
        self.ask(load(*names, batch=batch, cost=cost, expires_on=expires_on))

    @rule(order=orders, line=lines, quantity=st.integers(1, 5), attempt=attempts)
    def reserve(self, order: str, line: int, quantity: int, attempt: int) -> None:
        command = reserve(order, quantity, line=line, attempt=attempt)
        self.ask(command)
        assert self.ask(command) == []

    @rule(order=orders, line=lines)
    def release(self, order: str, line: int) -> None:
        command = ReleaseStock(sku=SKU, order_id=order, line=line, reason="unpaid")
        self.ask(command)
        assert self.ask(command) == []

    @rule(order=orders, line=lines)
    def settle(self, order: str, line: int) -> None:
        self.ask(settle(order, line))
        assert self.ask(settle(order, line)) == []

    @rule(order=orders, line=lines, attempt=attempts)
    def expire(self, order: str, line: int, attempt: int) -> None:
        command = ExpireReservation(sku=SKU, order_id=order, line=line, attempt=attempt)
        self.ask(command)
        assert self.ask(command) == []

    @rule(order=orders, number=st.integers(1, 30))
    def fault(self, order: str, number: int) -> None:
        self.ask(fault(order, number))
        assert self.ask(fault(order, number)) == []

    @rule()
    def a_day_passes(self) -> None:
        self.shop.now += timedelta(days=1)

    @invariant()
    def state_and_events_agree(self) -> None:
        stock, today = self.shop.state.stock, self.shop.now.date()
        places = Counter(self.keys.place.values())
        free = {number for lot in stock.lots for number in ranges.members(lot.free)}
        assert free == {number for number, place in self.keys.place.items() if place == "free"}
        assert (stock.loaded, stock.sold) == (len(self.keys.place), places["sold"])
        assert ranges.count(stock.faulted) == places["faulted"]
        left = available(stock, today)
        assert len(pick(stock, left, today)) == left
        assert pick(stock, left + 1, today) == ()


TestAProduct = AProduct.TestCase
TestAProduct.settings = settings(max_examples=60, stateful_step_count=40)

numbers = st.frozensets(st.integers(1, 40))


def tidy(some: Ranges) -> bool:
    return all(first <= last for first, last in some) and all(one[1] + 1 < other[0] for one, other in pairwise(some))


@given(numbers, numbers, st.integers(0, 45))
def test_ranges_are_sets(left: frozenset[int], right: frozenset[int], quantity: int) -> None:
    one, other = ranges.spans(left), ranges.spans(right)
    for found, meant in [
        (one, left),
        (ranges.union(one, other), left | right),
        (ranges.common(one, other), left & right),
        (ranges.without(one, other), left - right),
        (ranges.lowest(one, quantity), sorted(left)[:quantity]),
    ]:
        assert list(ranges.members(found)) == sorted(meant)
        assert ranges.count(found) == len(meant)
        assert tidy(found)
    assert all(ranges.holds(one, number) == (number in left) for number in range(42))
