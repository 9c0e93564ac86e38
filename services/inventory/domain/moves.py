"""What may happen to stock: loading, reserving, releasing, settling, faulting."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TypeAlias

from services.inventory.domain import ranges
from services.inventory.domain.listing import check_cost, unknown_sku
from services.inventory.domain.stock import Ended, Stock, available, cost_of, evolve, line_key, pick, reservation_of
from shared.contracts import Decided, Event, Refused
from shared.contracts.inventory import (
    ExpireReservation,
    FaultKey,
    KeyFaulted,
    KeysLoaded,
    Listing,
    LoadKeys,
    ReleaseStock,
    ReservationExpired,
    ReservedKey,
    ReserveStock,
    SealedKey,
    SettleStock,
    StockRanLow,
    StockReleased,
    StockReserved,
    StockSettled,
    StockShort,
)

BoxOf: TypeAlias = Callable[[int], str]


def load(command: LoadKeys, listing: Listing | None, stock: Stock, known: frozenset[str]) -> Decided:
    """`known` are those of the command's indexes that were loaded before, under whatever SKU."""
    if listing is None:
        raise unknown_sku()
    if listing.source != "keys":
        raise Refused("not-from-keys", f"{command.sku} is delivered by {listing.source}, not from keys", status=422)
    check_cost(command.cost, listing.price.currency)
    fresh, duplicates = _sift(command.keys, known)
    answer = {"loaded": len(fresh), "duplicates": duplicates}
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
    )
    return Decided(events=[event], answer=answer)


def _sift(keys: tuple[SealedKey, ...], known: frozenset[str]) -> tuple[tuple[SealedKey, ...], list[int]]:
    """The keys never seen before, and the places of the others."""
    seen, fresh, duplicates = set(known), [], []
    for place, key in enumerate(keys):
        if key.index in seen:
            duplicates.append(place)
        else:
            seen.add(key.index)
            fresh.append(key)
    return tuple(fresh), duplicates


def reserve(command: ReserveStock, stock: Stock, threshold: int, today: date, box_of: BoxOf) -> list[Event]:
    line = line_key(command.order_id, command.line)
    older = stock.reserved.get(line)
    last = older or stock.ended.get(line)
    if last and (last.attempt >= command.attempt or (isinstance(last, Ended) and last.sold)):
        return []
    events: list[Event] = []
    left = stock
    if older:
        reason = f"superseded by attempt {command.attempt}"
        events.append(_released(command, older.numbers, reason))
        left = evolve(stock, events[0])
    numbers = pick(left, command.quantity, today)
    if not numbers:
        return [*events, _short(command, available(left, today))]
    events.append(
        StockReserved(
            sku=command.sku,
            order_id=command.order_id,
            line=command.line,
            attempt=command.attempt,
            keys=tuple(ReservedKey(number=number, box=box_of(number)) for number in numbers),
            expires_at=command.expires_at,
        )
    )
    if threshold and (low := available(left, today) - len(numbers)) <= threshold < available(stock, today):
        events.append(StockRanLow(sku=command.sku, available=low, threshold=threshold))
    return events


def _short(command: ReserveStock, left: int) -> StockShort:
    return StockShort(
        sku=command.sku,
        order_id=command.order_id,
        line=command.line,
        attempt=command.attempt,
        quantity=command.quantity,
        available=left,
    )


def _released(command: ReserveStock | ReleaseStock, numbers: tuple[int, ...], reason: str) -> StockReleased:
    return StockReleased(sku=command.sku, order_id=command.order_id, line=command.line, numbers=numbers, reason=reason)


def release(command: ReleaseStock, stock: Stock) -> list[Event]:
    held = stock.reserved.get(line_key(command.order_id, command.line))
    return [_released(command, held.numbers, command.reason)] if held else []


def expire(command: ExpireReservation, stock: Stock) -> list[Event]:
    held = stock.reserved.get(line_key(command.order_id, command.line))
    if held is None or held.expired or held.attempt != command.attempt:
        return []
    return [ReservationExpired(sku=command.sku, order_id=command.order_id, line=command.line, attempt=command.attempt)]


def settle(command: SettleStock, stock: Stock) -> list[Event]:
    held = stock.reserved.get(line_key(command.order_id, command.line))
    if held is None:
        return []
    return [
        StockSettled(
            sku=command.sku,
            order_id=command.order_id,
            line=command.line,
            numbers=held.numbers,
            cost=cost_of(stock, held.numbers),
        )
    ]


def fault(command: FaultKey, stock: Stock, sold_to: str | None) -> list[Event]:
    """`sold_to` is the order that the number was sold to, if it was."""
    if ranges.holds(stock.faulted, command.number):
        return []
    if sold_to != command.order_id and reservation_of(stock, command.order_id, command.number) is None:
        return []
    return [KeyFaulted(sku=command.sku, order_id=command.order_id, number=command.number, reason=command.reason)]
