"""ValueOnce: a line gives no more money and keys than were paid for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from shared.contracts.fulfillment import KeysDelivered
from shared.contracts.order import (
    OrderCompleted,
    OrderPlaced,
    RefundApproved,
    ReplacementFailed,
    ReplacementRequested,
)
from shared.laws.compact import Marks
from shared.laws.law import Handlers, Law

Key: TypeAlias = tuple[int, int]
REPLACEMENT_REFUND = "replacement/"


@dataclass(slots=True)
class _AfterSale:
    """What an order gave besides its first delivery: money, and fresh keys for keys that were sold."""

    refunded: int = 0
    sold_as: dict[int, Key] = field(default_factory=dict)  # by replacement line
    standing: dict[int, Key] = field(default_factory=dict)  # of these, those that did not fail
    refunded_keys: set[Key] = field(default_factory=set)

    def root(self, line: int, number: int) -> Key:
        return self.sold_as.get(line, (line, number))


class ValueOnce(Law):
    """Fresh keys and money given for what was delivered never exceed what was paid for it; a key that was refunded is
    not replaced; a line delivers as many keys as were sold on it."""

    name = "ValueOnce"

    def __init__(self) -> None:
        super().__init__()
        self._prices, self._quantities, self._paid = Marks(), Marks(), Marks()
        self._counted: dict[str, int] = {}
        self._after: dict[str, _AfterSale] = defaultdict(_AfterSale)

    def handlers(self) -> Handlers:
        return {
            OrderPlaced: self._placed,
            OrderCompleted: self._completed,
            RefundApproved: self._refunded,
            ReplacementRequested: self._replaced,
            ReplacementFailed: self._not_replaced,
            KeysDelivered: self._delivered,
        }

    def unfinished(self) -> Iterator[str]:
        for line, count in self._counted.items():
            yield f"{line} delivered {count} keys, and no order has such a line"

    def _placed(self, event: OrderPlaced) -> None:
        for line in event.lines:
            if not self._prices.add(f"{event.order_id}/{line.line}", line.unit_price.amount):
                self.broken(f"{event.order_id} was placed twice")
            self._sold(f"{event.order_id}/{line.line}", line.quantity)

    def _completed(self, event: OrderCompleted) -> None:
        self.checked += 1
        self._paid.add(event.order_id, event.delivered.amount)

    def _sold(self, line: str, quantity: int) -> None:
        self._quantities.add(line, quantity)
        if (count := self._counted.pop(line, None)) is not None:
            self._compare(line, count, quantity)

    def _delivered(self, event: KeysDelivered) -> None:
        quantity = self._quantities.get(event.delivery_id)
        if quantity is None:
            self._counted[event.delivery_id] = len(event.numbers)
        else:
            self._compare(event.delivery_id, len(event.numbers), quantity)

    def _compare(self, line: str, delivered: int, sold: int) -> None:
        if delivered != sold:
            self.broken(f"{line} delivered {delivered} keys where {sold} were sold")

    def _refunded(self, event: RefundApproved) -> None:
        after = self._after[event.order_id]
        after.refunded += event.amount.amount
        key = self._key_of(event, after)
        if key in after.refunded_keys:
            self.broken(f"key {key[1]} of {event.order_id}/{key[0]} was refunded twice")
        elif key is not None:
            after.refunded_keys.add(key)
        self._add_up(event.order_id, after)

    def _key_of(self, event: RefundApproved, after: _AfterSale) -> Key | None:
        if event.line is not None and event.number is not None:
            return after.root(event.line, event.number)
        line = event.refund_id.removeprefix(REPLACEMENT_REFUND)
        return after.sold_as.get(int(line)) if line.isdecimal() and line != event.refund_id else None

    def _replaced(self, event: ReplacementRequested) -> None:
        after, line = self._after[event.order_id], event.line.line
        key = after.root(event.replaces, event.number)
        if key in after.refunded_keys:
            self.broken(f"key {key[1]} of {event.order_id}/{key[0]} was refunded, and replaced as well")
        after.sold_as[line] = after.standing[line] = key
        self._sold(f"{event.order_id}/{line}", event.line.quantity)
        self._add_up(event.order_id, after)

    def _not_replaced(self, event: ReplacementFailed) -> None:
        self._after[event.order_id].standing.pop(event.line, None)

    def _add_up(self, order_id: str, after: _AfterSale) -> None:
        keys = set(after.standing.values()) - after.refunded_keys
        value = after.refunded + sum(self._prices.get(f"{order_id}/{line}") or 0 for line, _ in keys)
        if value > (paid := self._paid.get(order_id) or 0):
            self.broken(f"{order_id} gave {value} in money and fresh keys for the {paid} that was delivered")
