"""The state of a product's keys: free in a lot, reserved for an order line, sold, faulted, or withdrawn. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime

from services.inventory.domain import ranges
from services.inventory.domain.ranges import Ranges
from shared.contracts import Event, Money, replace
from shared.contracts.base import MAX_MINOR_UNITS
from shared.contracts.inventory import (
    KeyFaulted,
    KeysLoaded,
    KeysSupplied,
    KeysWithdrawn,
    ReservationExpired,
    StockReleased,
    StockReserved,
    StockSettled,
    StockShort,
)

REMEMBERED_LINES = 1_000


@dataclass(frozen=True, slots=True)
class Lot:
    """Keys loaded on the same terms. `numbers` are all of them, `free` those for sale, `open` counts those not yet
    sold or faulted. A lot ends when none is open."""

    batch_id: str
    supplier: str | None
    cost: Money | None
    expires_on: date | None
    numbers: Ranges
    free: Ranges
    open: int

    def expired(self, today: date) -> bool:
        """Whether the last day of use has passed."""
        return self.expires_on is not None and self.expires_on < today

    def urgency(self) -> tuple[date, int]:
        """Sorts the first to expire first, then the first loaded."""
        return self.expires_on or date.max, self.numbers[0][0]


@dataclass(frozen=True, slots=True)
class Reservation:
    """Keys that are reserved for an order line. `expired`: the order was asked to give them up. `unpaid`: the order was
    not paid when it reserved them; `holders` are then hashes of its buyer."""

    numbers: tuple[int, ...]
    attempt: int
    expires_at: datetime
    expired: bool = False
    unpaid: bool = False
    holders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """The last attempt of a line without reservations, and the holders of its unpaid reservation: an order that passes
    its review reserves again without naming them."""

    attempt: int
    sold: bool
    holders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stock:
    """`lots` are sorted by urgency; `reserved` and `ended` are by `line_key`. Numbers run from 1 to `loaded`; a number
    that is neither free, reserved nor faulted is sold or withdrawn. `supplied` are those whose text a supplier sent:
    they are reserved no more.

    `ended` keeps the latest lines only. Commands are delivered once; this covers repetitions that come soon.
    """

    lots: tuple[Lot, ...] = ()
    reserved: dict[str, Reservation] = field(default_factory=dict)
    ended: dict[str, Ended] = field(default_factory=dict)
    faulted: Ranges = ()
    supplied: Ranges = ()
    loaded: int = 0
    sold: int = 0


def line_key(order_id: str, line: int) -> str:
    return f"{order_id}/{line}"


def available(stock: Stock, today: date) -> int:
    """How many keys can still be reserved today."""
    return sum(ranges.count(lot.free) for lot in stock.lots if not lot.expired(today))


def pick(stock: Stock, quantity: int, today: date) -> tuple[int, ...]:
    """The numbers to reserve, first to expire first; empty when there are not enough."""
    picked: list[int] = []
    for lot in stock.lots:
        if not lot.expired(today):
            picked.extend(ranges.members(ranges.lowest(lot.free, quantity - len(picked))))
        if len(picked) == quantity:
            return tuple(picked)
    return ()


def cost_of(stock: Stock, numbers: tuple[int, ...]) -> Money | None:
    """The cost of these open keys. None if a lot's cost is unknown, the currencies of lots differ, or the sum is more
    than an amount can be."""
    wanted, total, currency = ranges.spans(numbers), 0, ""
    for lot in stock.lots:
        here = ranges.count(ranges.common(lot.numbers, wanted))
        if not here:
            continue
        if lot.cost is None or currency not in ("", lot.cost.currency):
            return None
        total, currency = total + lot.cost.amount * here, lot.cost.currency
    return Money(amount=total, currency=currency) if currency and total <= MAX_MINOR_UNITS else None


def reservation_of(stock: Stock, order_id: str, number: int) -> str | None:
    """The `line_key` of the order's line that has this number reserved, None for none."""
    for line, held in stock.reserved.items():
        if line.rpartition("/")[0] == order_id and number in held.numbers:
            return line
    return None


def evolve(stock: Stock, event: Event) -> Stock:
    match event:
        case KeysLoaded():
            return _loaded(stock, event)
        case StockReserved():
            return _reserved(stock, event)
        case StockShort():
            return _end(stock, line_key(event.order_id, event.line), Ended(event.attempt, sold=False))
        case StockReleased():
            line = line_key(event.order_id, event.line)
            lots = _change(stock.lots, event.numbers, _give_back)
            held = stock.reserved[line]
            return _end(replace(stock, lots=lots), line, Ended(held.attempt, sold=False, holders=held.holders))
        case StockSettled():
            line = line_key(event.order_id, event.line)
            lots = _change(stock.lots, event.numbers, _close)
            settled = replace(stock, lots=lots, sold=stock.sold + len(event.numbers))
            return _end(settled, line, Ended(stock.reserved[line].attempt, sold=True))
        case ReservationExpired():
            line = line_key(event.order_id, event.line)
            reserved = stock.reserved | {line: replace(stock.reserved[line], expired=True)}
            return replace(stock, reserved=reserved)
        case KeyFaulted():
            return _faulted(stock, event)
        case KeysSupplied():
            return replace(stock, supplied=ranges.union(stock.supplied, ranges.spans(event.numbers)))
        case KeysWithdrawn():
            return replace(stock, lots=_change(stock.lots, event.numbers, _withdraw))
        case _:
            return stock


def _loaded(stock: Stock, event: KeysLoaded) -> Stock:
    last = event.first + len(event.keys) - 1
    new: Ranges = ((event.first, last),)
    terms = (event.batch_id, event.supplier, event.cost, event.expires_on)
    lots = list(stock.lots)
    for place, lot in enumerate(lots):
        if (lot.batch_id, lot.supplier, lot.cost, lot.expires_on) == terms:
            numbers, free = ranges.union(lot.numbers, new), ranges.union(lot.free, new)
            lots[place] = replace(lot, numbers=numbers, free=free, open=lot.open + len(event.keys))
            break
    else:
        lots.append(Lot(*terms, numbers=new, free=new, open=len(event.keys)))
        lots.sort(key=Lot.urgency)
    return replace(stock, lots=tuple(lots), loaded=last)


def _reserved(stock: Stock, event: StockReserved) -> Stock:
    numbers = tuple(key.number for key in event.keys)
    line = line_key(event.order_id, event.line)
    held = Reservation(numbers, event.attempt, event.expires_at, unpaid=event.unpaid, holders=event.holders)
    ended = {other: end for other, end in stock.ended.items() if other != line} if line in stock.ended else stock.ended
    lots = _change(stock.lots, numbers, _take)
    return replace(stock, lots=lots, reserved=stock.reserved | {line: held}, ended=ended)


def _faulted(stock: Stock, event: KeyFaulted) -> Stock:
    faulted = ranges.union(stock.faulted, ((event.number, event.number),))
    line = reservation_of(stock, event.order_id, event.number)
    if line is None:
        return replace(stock, faulted=faulted, sold=stock.sold - 1)
    held = stock.reserved[line]
    rest = tuple(number for number in held.numbers if number != event.number)
    stock = replace(stock, faulted=faulted, lots=_change(stock.lots, (event.number,), _close))
    if not rest:
        return _end(stock, line, Ended(held.attempt, sold=False))
    return replace(stock, reserved=stock.reserved | {line: replace(held, numbers=rest)})


def _end(stock: Stock, line: str, end: Ended) -> Stock:
    reserved = stock.reserved
    if line in reserved:
        reserved = reserved.copy()
        del reserved[line]
    ended = stock.ended.copy()
    ended.pop(line, None)
    ended[line] = end
    if len(ended) > REMEMBERED_LINES:
        del ended[next(iter(ended))]
    return replace(stock, reserved=reserved, ended=ended)


def _take(lot: Lot, numbers: Ranges) -> Lot:
    return replace(lot, free=ranges.without(lot.free, numbers))


def _give_back(lot: Lot, numbers: Ranges) -> Lot:
    return replace(lot, free=ranges.union(lot.free, numbers))


def _close(lot: Lot, numbers: Ranges) -> Lot:
    return replace(lot, open=lot.open - ranges.count(numbers))


def _withdraw(lot: Lot, numbers: Ranges) -> Lot:
    return _close(_take(lot, numbers), numbers)


def _change(lots: tuple[Lot, ...], numbers: tuple[int, ...], change: Callable[[Lot, Ranges], Lot]) -> tuple[Lot, ...]:
    """Apply a change to the lots that these numbers belong to; lots with nothing open are dropped."""
    wanted = ranges.spans(numbers)
    changed = (change(lot, here) if (here := ranges.common(lot.numbers, wanted)) else lot for lot in lots)
    return tuple(lot for lot in changed if lot.open)
