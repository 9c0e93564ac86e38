"""Inventory's reactions to events of orders and deliveries, and what it schedules. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from services.inventory.domain.unpaid import holder
from shared.contracts import Cancel, Command, Event, Plan, Planner, Reaction, ScheduleCommand
from shared.contracts.fulfillment import (
    DeliveryFailed,
    DeliveryResolved,
    KeysDelivered,
    Supplied,
    SupplierDelivered,
    SupplierReportRefused,
    SupplierStatementRecorded,
    supplied_indexes,
)
from shared.contracts.inventory import (
    CompareTexts,
    ExpireKeys,
    ExpireReservation,
    FaultKey,
    KeysLoaded,
    ReleaseStock,
    ReserveStock,
    SettleStock,
    StockReleased,
    StockReserved,
    StockSettled,
    TextsFound,
    WithdrawKeys,
)
from shared.contracts.order import (
    WALLET,
    OrderCancelled,
    OrderLine,
    OrderPlaced,
    OrderReopened,
    ReplacementRequested,
    StockPutBack,
    StockRequested,
)

Holders = tuple[str, ...]


def _reserve(
    order_id: str, line: OrderLine, attempt: int, until: datetime, *, unpaid: bool = False, holders: Holders = ()
) -> ReserveStock:
    return ReserveStock(
        sku=line.sku,
        order_id=order_id,
        line=line.line,
        quantity=line.quantity,
        attempt=attempt,
        expires_at=until,
        unpaid=unpaid,
        holders=holders,
    )


def _from_keys(lines: tuple[OrderLine, ...]) -> list[OrderLine]:
    return [line for line in lines if line.source == "keys"]


def _holders(event: OrderPlaced) -> Holders:
    """Hashes of the customer, address and device of an unpaid order."""
    values = {"customer": event.customer, "ip": event.ip, "device": event.device}
    return tuple(holder(kind, value) for kind, value in values.items() if value)


def on_order_placed(event: OrderPlaced) -> list[Command]:
    """Reserve the stock of each line. An order paid from a wallet counts as paid; one paid at a channel may never
    be."""
    lines, unpaid = _from_keys(event.lines), event.payment != WALLET
    holders = _holders(event) if lines and unpaid else ()
    return [_reserve(event.order_id, line, 1, event.reserved_until, unpaid=unpaid, holders=holders) for line in lines]


def on_stock_put_back(event: StockPutBack) -> list[Command]:
    """Release the stock while a person reviews the order."""
    return [
        ReleaseStock(sku=line.sku, order_id=event.order_id, line=line.line, reason="under review")
        for line in _from_keys(event.lines)
    ]


def on_stock_requested(event: StockRequested) -> list[Command]:
    return [
        _reserve(event.order_id, line, event.attempt, event.reserved_until, unpaid=not event.paid)
        for line in _from_keys(event.lines)
    ]


def on_order_reopened(event: OrderReopened) -> list[Command]:
    return [_reserve(event.order_id, line, event.attempt, event.reserved_until) for line in _from_keys(event.lines)]


def on_order_cancelled(event: OrderCancelled) -> list[Command]:
    return [
        ReleaseStock(sku=line.sku, order_id=event.order_id, line=line.line, reason=event.reason)
        for line in _from_keys(event.lines)
    ]


def on_replacement_requested(event: ReplacementRequested) -> list[Command]:
    if event.line.source != "keys":
        return []
    return [
        FaultKey(sku=event.line.sku, order_id=event.order_id, number=event.number, reason=event.reason),
        _reserve(event.order_id, event.line, 1, event.reserved_until),
    ]


def on_keys_delivered(event: KeysDelivered) -> list[Command]:
    return [SettleStock(sku=event.sku, order_id=event.order_id, line=event.line)]


def on_delivery_failed(event: DeliveryFailed) -> list[Command]:
    faults = [
        FaultKey(sku=event.sku, order_id=event.order_id, number=number, reason=event.reason) for number in event.numbers
    ]
    return [*faults, ReleaseStock(sku=event.sku, order_id=event.order_id, line=event.line, reason=event.reason)]


def on_delivery_resolved(event: DeliveryResolved) -> list[Command]:
    """Settle the reserved keys: the person may have handed them out, so they are never sold again."""
    return [SettleStock(sku=event.sku, order_id=event.order_id, line=event.line)]


def on_texts_supplied(event: Supplied) -> list[Command]:
    """Compare the texts that a supplier sent with the stock: the same keys must not be sold as well."""
    if not (indexes := supplied_indexes(event)):
        return []
    given = isinstance(event, SupplierDelivered)
    return [CompareTexts(delivery_id=event.delivery_id, supplier=event.supplier, indexes=indexes, given=given)]


def on_texts_found(event: TextsFound) -> list[Command]:
    numbers: dict[str, list[int]] = defaultdict(list)
    for key in event.keys:
        numbers[key.sku].append(key.number)
    return [
        WithdrawKeys(
            sku=sku,
            numbers=tuple(of_sku),
            delivery_id=event.delivery_id,
            supplier=event.supplier,
            given=event.given,
        )
        for sku, of_sku in numbers.items()
    ]


def plan_last_day(event: KeysLoaded, at: datetime) -> list[Plan]:
    """Expire the unsold keys of one product and one last day, when the day is over."""
    if event.expires_on is None or event.over_from is None:
        return []
    command = ExpireKeys(sku=event.sku, expires_on=event.expires_on)
    return [ScheduleCommand(key=f"last-day/{event.sku}/{event.expires_on}", command=command, at=event.over_from)]


def _expiry_key(order_id: str, line: int) -> str:
    return f"expiry/{order_id}/{line}"


def plan_expiry(event: StockReserved, at: datetime) -> list[Plan]:
    command = ExpireReservation(sku=event.sku, order_id=event.order_id, line=event.line, attempt=event.attempt)
    return [ScheduleCommand(key=_expiry_key(event.order_id, event.line), command=command, at=event.expires_at)]


def cancel_expiry(event: StockReleased | StockSettled, at: datetime) -> list[Plan]:
    return [Cancel(key=_expiry_key(event.order_id, event.line))]


REACTIONS: Mapping[type[Event], Reaction] = {
    OrderPlaced: on_order_placed,
    StockPutBack: on_stock_put_back,
    StockRequested: on_stock_requested,
    OrderReopened: on_order_reopened,
    OrderCancelled: on_order_cancelled,
    ReplacementRequested: on_replacement_requested,
    KeysDelivered: on_keys_delivered,
    DeliveryFailed: on_delivery_failed,
    DeliveryResolved: on_delivery_resolved,
    SupplierDelivered: on_texts_supplied,
    SupplierStatementRecorded: on_texts_supplied,
    SupplierReportRefused: on_texts_supplied,
    TextsFound: on_texts_found,
}
# Events of top-ups have no texts, so inventory ignores them.
WANTS: Mapping[type[Event], Callable[[Any], bool]] = {
    kind: lambda event: bool(supplied_indexes(event))
    for kind in (SupplierDelivered, SupplierStatementRecorded, SupplierReportRefused)
}
PLANS: Mapping[type[Event], Planner] = {
    KeysLoaded: plan_last_day,
    StockReserved: plan_expiry,
    StockReleased: cancel_expiry,
    StockSettled: cancel_expiry,
}
