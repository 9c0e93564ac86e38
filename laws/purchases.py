"""OnePurchase: a line is bought once, from one supplier at a time."""

from __future__ import annotations

from collections.abc import Iterator

from shared.contracts.fulfillment import (
    DeliveryFailed,
    DeliveryResolved,
    PurchaseFailed,
    PurchaseRequested,
    SupplierClaimWon,
    SupplierDelivered,
    SupplierStatementRecorded,
    SupplierStatementSettled,
    delivery_id,
    purchase_request_id,
    statement_id,
)
from shared.contracts.ledger import SupplierBillPosted, SupplierClaimCredited, SupplierClaimMoved, SupplierCostPosted
from shared.laws.compact import Marks, Pairs
from shared.laws.law import Handlers, Law


class OnePurchase(Law):
    """A line is bought from one supplier at a time, asked of each supplier once, and delivered by at most one supplier,
    whose cost is booked once.

    An additional bill of a supplier is booked once too, and moved as a person decided.
    """

    name = "OnePurchase"

    def __init__(self) -> None:
        super().__init__()
        self._asked, self._bought = Marks(), Marks()
        self._open: dict[str, str] = {}
        self._costs: Pairs[int] = Pairs()

    def handlers(self) -> Handlers:
        return {
            PurchaseRequested: self._requested,
            PurchaseFailed: self._failed,
            SupplierDelivered: self._delivered,
            DeliveryResolved: self._ended,
            DeliveryFailed: self._ended,
            SupplierCostPosted: self._owed,
            SupplierStatementRecorded: self._billed,
            SupplierStatementSettled: self._settled,
            SupplierBillPosted: lambda event: self._cost("ledger", event.bill_id, event.amount.amount),
            SupplierClaimMoved: lambda event: self._cost("ledger", _move(event), event.amount.amount),
            SupplierClaimWon: self._won,
            SupplierClaimCredited: lambda event: self._cost("ledger", f"{event.bill_id} as won", event.amount.amount),
        }

    def unfinished(self) -> Iterator[str]:
        for side, purchase in self._costs.alone():
            yield f"the cost of {purchase} is known to {side} only"

    def _requested(self, event: PurchaseRequested) -> None:
        self.checked += 1
        line, supplier = event.delivery_id, event.supplier
        if event.request_id != purchase_request_id(line, supplier):
            self.broken(f"{line} was asked of {supplier} under another id: {event.request_id}")
        if not self._asked.add(event.request_id):
            self.broken(f"{line} was asked of {supplier} twice")
        if line in self._bought:
            self.broken(f"{line} was asked of {supplier} and is bought")
        if other := self._open.get(line):
            self.broken(f"{line} was asked of {supplier} while {other} may deliver it")
        self._open[line] = supplier

    def _failed(self, event: PurchaseFailed) -> None:
        if self._open.pop(event.delivery_id, None) != event.supplier:
            self.broken(f"{event.supplier} failed to deliver {event.delivery_id}, which it was not to deliver")

    def _delivered(self, event: SupplierDelivered) -> None:
        line = event.delivery_id
        if not self._bought.add(line):
            self.broken(f"{line} was bought twice, now from {event.supplier}")
        elif self._open.pop(line, None) != event.supplier:
            self.broken(f"{line} was delivered by {event.supplier}, which was not to deliver it")
        elif event.cost.amount:
            self._cost("fulfillment", purchase_request_id(line, event.supplier), event.cost.amount)

    def _owed(self, event: SupplierCostPosted) -> None:
        line = delivery_id(event.order_id, event.line)
        self._cost("ledger", purchase_request_id(line, event.supplier), event.cost.amount)

    def _billed(self, event: SupplierStatementRecorded | SupplierStatementSettled) -> None:
        if event.bill is not None:
            self._cost("fulfillment", statement_id(event.delivery_id, event.statement), event.bill.amount)

    def _settled(self, event: SupplierStatementSettled) -> None:
        self._billed(event)
        if event.moved is not None:
            name = statement_id(event.delivery_id, event.statement)
            self._cost("fulfillment", f"{name} as {event.decision}", event.moved.amount)

    def _won(self, event: SupplierClaimWon) -> None:
        if event.amount is not None:
            name = statement_id(event.delivery_id, event.statement)
            self._cost("fulfillment", f"{name} as won", event.amount.amount)

    def _cost(self, side: str, purchase: str, amount: int) -> None:
        met = self._costs.stated(side, purchase, amount)
        if met == "twice":
            self.broken(f"the cost of {purchase} was posted twice")
        elif met == "differs":
            self.broken(f"the cost of {purchase} is {amount} in {side}, and another in the other log")

    def _ended(self, event: DeliveryResolved | DeliveryFailed) -> None:
        self._open.pop(event.delivery_id, None)


def _move(event: SupplierClaimMoved) -> str:
    return f"{event.bill_id} as {event.decision}"
