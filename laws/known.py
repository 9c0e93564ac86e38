"""OrdersKnown: the order's log knows every order for which money or stock is held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from shared.contracts import Money
from shared.contracts.fulfillment import DeliveryResolved, KeysDelivered, SupplierDelivered
from shared.contracts.inventory import StockReleased, StockReserved, StockSettled
from shared.contracts.ledger import FundsCaptured, FundsHeld, HoldVoided
from shared.contracts.order import OrderPlaced
from shared.laws.compact import Marks
from shared.laws.law import Handlers, Law


@dataclass(slots=True)
class Kept:
    """What other services hold for an order: money on an account, and reserved keys of a SKU, by line. `delivered`
    counts its delivered lines."""

    account: str = ""
    amount: Money | None = None
    reserved: dict[int, tuple[str, int]] = field(default_factory=dict)
    delivered: int = 0

    def __str__(self) -> str:
        parts = [f"{self.amount} are held on {self.account}"] if self.amount is not None else []
        parts += [f"{count} keys of {sku} are reserved" for sku, count in self.reserved.values()]
        parts += [f"{self.delivered} of its lines were delivered"] if self.delivered else []
        return ", ".join(parts)


class OrdersKnown(Law):
    """Money and stock are held only for orders that the order's log knows; such an order ends and frees them.

    The order's log may be read last, since an order requests everything that is held for it. When that log was restored
    from a backup, what is held for lost orders stays held until a person frees it.
    """

    name = "OrdersKnown"

    def __init__(self) -> None:
        super().__init__()
        self._placed, self._delivered_lines = Marks(), Marks()
        self._kept: dict[str, Kept] = {}

    def handlers(self) -> Handlers:
        return {
            OrderPlaced: self._placed_now,
            FundsHeld: self._held,
            FundsCaptured: lambda event: self._freed(event.order_id),
            HoldVoided: lambda event: self._freed(event.order_id),
            StockReserved: self._reserved,
            StockReleased: self._unreserved,
            StockSettled: self._unreserved,
            KeysDelivered: self._delivered,
            SupplierDelivered: self._delivered,
            DeliveryResolved: self._delivered,
        }

    def forgotten(self) -> Iterator[tuple[str, Kept]]:
        """The orders that other services hold something for, and that the order's log does not know."""
        for order_id, kept in self._kept.items():
            if order_id not in self._placed:
                yield order_id, replace(kept, delivered=self._delivered_lines.get(order_id) or 0)

    def unfinished(self) -> Iterator[str]:
        for order_id, kept in self.forgotten():
            yield f"the log of order does not know order {order_id}: {kept}; `kameng lost` tells what to do"

    def overdue(self) -> Iterator[str]:
        return self.unfinished()

    def _placed_now(self, event: OrderPlaced) -> None:
        self.checked += 1
        self._placed.add(event.order_id)
        self._kept.pop(event.order_id, None)

    def _held(self, event: FundsHeld) -> None:
        if (kept := self._of(event.order_id)) is not None:
            kept.account, kept.amount = event.account, event.amount

    def _freed(self, order_id: str) -> None:
        if (kept := self._of(order_id)) is not None:
            kept.amount = None
            self._drop(order_id, kept)

    def _reserved(self, event: StockReserved) -> None:
        if (kept := self._of(event.order_id)) is not None:
            kept.reserved[event.line] = (event.sku, len(event.keys))

    def _unreserved(self, event: StockReleased | StockSettled) -> None:
        if (kept := self._of(event.order_id)) is not None:
            kept.reserved.pop(event.line, None)
            self._drop(event.order_id, kept)

    def _of(self, order_id: str) -> Kept | None:
        """What is held for an order; None for an order that is known."""
        return None if order_id in self._placed else self._kept.setdefault(order_id, Kept())

    def _drop(self, order_id: str, kept: Kept) -> None:
        if kept.amount is None and not kept.reserved:
            del self._kept[order_id]

    def _delivered(self, event: KeysDelivered | SupplierDelivered | DeliveryResolved) -> None:
        if not self._delivered_lines.add(event.order_id, 1):
            self._delivered_lines.change(event.order_id, 1)
