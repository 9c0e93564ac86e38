"""Decides the commands on stock: loading, reserving, releasing, settling, faulting and withdrawing keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import reduce
from typing import TypeAlias

from services.inventory.domain import ranges
from services.inventory.domain.listing import check_cost, unknown_sku
from services.inventory.domain.ranges import Ranges
from services.inventory.domain.stock import Ended, Stock, available, cost_of, evolve, line_key, pick, reservation_of
from services.inventory.domain.unpaid import UnpaidLimits, refusal
from shared.contracts import Decided, DecisionContext, Event, Refused
from shared.contracts.inventory import (
    ExpireKeys,
    ExpireReservation,
    FaultKey,
    KeyFaulted,
    KeysExpired,
    KeysLoaded,
    KeysSupplied,
    KeysWithdrawn,
    Listing,
    LoadKeys,
    ReleaseStock,
    ReservationExpired,
    ReservedKey,
    ReserveStock,
    SealedKey,
    SettleStock,
    ShortFor,
    SoldKey,
    StockRanLow,
    StockReleased,
    StockReserved,
    StockSettled,
    StockShort,
    WithdrawKeys,
)
from shared.values.days import end_of

BoxOf: TypeAlias = Callable[[int], str]
SoldTo: TypeAlias = Callable[[int], str | None]


@dataclass(frozen=True, slots=True)
class Known:
    """The hashes of keys to load that are known: `loaded` before under any SKU, or `supplied` for an order."""

    loaded: frozenset[str] = frozenset()
    supplied: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ReservationFacts:
    """The facts for reserving: a function that returns a key's box by its number, and the limits of unpaid orders."""

    box_of: BoxOf
    unpaid: UnpaidLimits


def load(command: LoadKeys, listing: Listing | None, stock: Stock, given: DecisionContext) -> Decided:
    """Load the keys that are new. Facts: Known. Refuses `unknown-sku`, `not-from-keys` and what `check_cost`
    refuses."""
    if listing is None:
        raise unknown_sku()
    if listing.source != "keys":
        raise Refused("not-from-keys", f"{command.sku} is delivered by {listing.source}, not from keys", status=422)
    check_cost(command.cost, listing.price.currency)
    known: Known = given.facts
    fresh, duplicates = _sift(command.keys, known.loaded | known.supplied)
    supplied = [place for place in duplicates if command.keys[place].index in known.supplied]
    left_out = {"duplicates": duplicates, **({"supplied": supplied} if supplied else {})}
    expired = command.expires_on is not None and command.expires_on < given.today
    if expired:
        return Decided(answer={"loaded": 0, **left_out, "expired": True})
    answer = {"loaded": len(fresh), **left_out}
    if command.dry_run or not fresh:
        return Decided(answer=answer)
    event = KeysLoaded(
        sku=command.sku,
        batch_id=command.batch_id,
        first=stock.loaded + 1,
        keys=fresh,
        supplier=command.supplier,
        cost=command.cost,
        expires_on=command.expires_on,
        over_from=command.expires_on and end_of(command.expires_on, given.shop.zone),
    )
    return Decided(events=[event], answer=answer)


def _sift(keys: tuple[SealedKey, ...], known: frozenset[str]) -> tuple[tuple[SealedKey, ...], list[int]]:
    """The keys that are new, and the places of the others in the command."""
    indexes, fresh, duplicates = set(known), [], []
    for place, key in enumerate(keys):
        if key.index in indexes:
            duplicates.append(place)
        else:
            indexes.add(key.index)
            fresh.append(key)
    return tuple(fresh), duplicates


def reserve(command: ReserveStock, stock: Stock, threshold: int, today: date, facts: ReservationFacts) -> list[Event]:
    line = line_key(command.order_id, command.line)
    older = stock.reserved.get(line)
    last = older or stock.ended.get(line)
    if last and (last.attempt >= command.attempt or (isinstance(last, Ended) and last.sold)):
        return []
    if last and command.unpaid and not command.holders:
        command = command.model_copy(update={"holders": last.holders})
    events: list[Event] = []
    left = stock
    if older:
        reason = f"superseded by attempt {command.attempt}"
        events.extend(_put_back(command, stock, older.numbers, reason))
        for event in events:
            left = evolve(left, event)
    free = available(left, today) if command.unpaid else 0
    if short_for := refusal(command, left, free, facts.unpaid):
        return [*events, _short(command, free, short_for)]
    numbers = pick(left, command.quantity, today)
    if not numbers:
        return [*events, _short(command, available(left, today))]
    events.append(
        StockReserved(
            sku=command.sku,
            order_id=command.order_id,
            line=command.line,
            attempt=command.attempt,
            keys=tuple(ReservedKey(number=number, box=facts.box_of(number)) for number in numbers),
            expires_at=command.expires_at,
            unpaid=command.unpaid,
            holders=command.holders,
        )
    )
    if threshold and (low := available(left, today) - len(numbers)) <= threshold < available(stock, today):
        events.append(StockRanLow(sku=command.sku, available=low, threshold=threshold))
    return events


def _short(command: ReserveStock, left: int, short_for: ShortFor = "stock") -> StockShort:
    return StockShort(
        sku=command.sku,
        order_id=command.order_id,
        line=command.line,
        attempt=command.attempt,
        quantity=command.quantity,
        available=left,
        short_for=short_for,
    )


def _put_back(command: ReserveStock | ReleaseStock, stock: Stock, numbers: tuple[int, ...], reason: str) -> list[Event]:
    """Put reserved keys back on sale, except those whose text a supplier has sent meanwhile."""
    where = {"sku": command.sku, "order_id": command.order_id, "line": command.line}
    released = StockReleased(**where, numbers=numbers, reason=reason)
    return [released, *_withdrawn(command.sku, ranges.common(stock.supplied, ranges.spans(numbers)))]


def _withdrawn(sku: str, numbers: Ranges) -> list[Event]:
    return [KeysWithdrawn(sku=sku, numbers=tuple(ranges.members(numbers)))] if numbers else []


def release(command: ReleaseStock, stock: Stock) -> list[Event]:
    reservation = stock.reserved.get(line_key(command.order_id, command.line))
    return _put_back(command, stock, reservation.numbers, command.reason) if reservation else []


def expire_keys(command: ExpireKeys, stock: Stock, threshold: int, today: date) -> list[Event]:
    """Expire the unsold keys of this last day. An order that has some of them reserved is asked to give them up."""
    over = [lot for lot in stock.lots if lot.expires_on == command.expires_on and lot.expired(today)]
    count, left = sum(ranges.count(lot.free) for lot in over), available(stock, today)
    events: list[Event] = []
    if count:
        events.append(KeysExpired(sku=command.sku, expires_on=command.expires_on, count=count, available=left))
        if threshold and left <= threshold:
            events.append(StockRanLow(sku=command.sku, available=left, threshold=threshold))
    for line, reservation in stock.reserved.items():
        numbers = ranges.spans(reservation.numbers)
        if not reservation.expired and any(ranges.common(lot.numbers, numbers) for lot in over):
            order_id, _, number = line.rpartition("/")
            events.append(
                ReservationExpired(sku=command.sku, order_id=order_id, line=int(number), attempt=reservation.attempt)
            )
    return events


def expire(command: ExpireReservation, stock: Stock) -> list[Event]:
    reservation = stock.reserved.get(line_key(command.order_id, command.line))
    if reservation is None or reservation.expired or reservation.attempt != command.attempt:
        return []
    return [ReservationExpired(sku=command.sku, order_id=command.order_id, line=command.line, attempt=command.attempt)]


def settle(command: SettleStock, stock: Stock) -> list[Event]:
    reservation = stock.reserved.get(line_key(command.order_id, command.line))
    if reservation is None:
        return []
    return [
        StockSettled(
            sku=command.sku,
            order_id=command.order_id,
            line=command.line,
            numbers=reservation.numbers,
            cost=cost_of(stock, reservation.numbers),
        )
    ]


def fault(command: FaultKey, stock: Stock, sold_to: str | None) -> list[Event]:
    """Mark a key as faulty. `sold_to` is the order that the number was sold to, None if it was not sold."""
    if ranges.holds(stock.faulted, command.number):
        return []
    if sold_to != command.order_id and reservation_of(stock, command.order_id, command.number) is None:
        return []
    return [KeyFaulted(sku=command.sku, order_id=command.order_id, number=command.number, reason=command.reason)]


def withdraw(command: WithdrawKeys, stock: Stock, threshold: int, today: date, sold_to: SoldTo) -> list[Event]:
    """Withdraw keys whose text a supplier sent, each once. `sold_to` returns the order that a number was sold to."""
    new = ranges.without(ranges.spans(command.numbers), stock.supplied)
    if not new:
        return []
    numbers = tuple(ranges.members(new))
    sold = ((number, sold_to(number)) for number in numbers)
    supplied = KeysSupplied(
        sku=command.sku,
        delivery_id=command.delivery_id,
        supplier=command.supplier,
        given=command.given,
        numbers=numbers,
        sold=tuple(SoldKey(number=number, order_id=order_id) for number, order_id in sold if order_id),
    )
    free = ranges.spans(number for lot in stock.lots for number in ranges.members(ranges.common(lot.free, new)))
    events = [supplied, *_withdrawn(command.sku, free)]
    left, before = reduce(evolve, events, stock), available(stock, today)
    if threshold and (low := available(left, today)) <= threshold < before:
        events.append(StockRanLow(sku=command.sku, available=low, threshold=threshold))
    return events
