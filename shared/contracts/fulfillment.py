"""Deliveries: sealed keys opened for their buyer, top-ups bought from suppliers, the rest by people.

A delivery is one order line; its id is `<order id>/<line>`.
"""

from __future__ import annotations

from typing import Literal

from shared.contracts.base import Command, Event, Id, Money, Text, Value
from shared.contracts.inventory import ReservedKey
from shared.contracts.order import OrderLine


def delivery_id(order_id: str, line: int) -> str:
    """The id of an order line's delivery."""
    return f"{order_id}/{line}"


def purchase_request_id(delivery_id: str, supplier: str) -> str:
    """The id under which a supplier knows a purchase: the same however often we ask."""
    return f"{delivery_id}#{supplier}"


class PurchaseReport(Value):
    """What a supplier says of a purchase: in its answers to us and in its callbacks. `cost` is told when done."""

    request_id: Id
    outcome: Literal["done", "failed", "pending"]
    supplier_ref: Text = ""
    cost: Money | None = None
    reason: Text = ""

    def told_by(self, supplier: str) -> RecordPurchase:
        """The command that records this report. Raises ValueError for a purchase that was another supplier's."""
        delivery, _, asked = self.request_id.rpartition("#")
        if asked != supplier or not delivery:
            raise ValueError(f"purchase {self.request_id} is not one of {supplier}")
        return RecordPurchase(
            delivery_id=delivery,
            supplier=supplier,
            outcome=self.outcome,
            supplier_ref=self.supplier_ref,
            cost=self.cost,
            reason=self.reason,
        )


class TakeKeys(Command, key="delivery_id"):
    """Inventory reserved these sealed keys for the line."""

    delivery_id: Id
    order_id: Id
    line: int
    attempt: int
    sku: Id
    keys: tuple[ReservedKey, ...]


class DeliverLine(Command, key="delivery_id"):
    """The order is confirmed: deliver this line to the holder of `buyer_key`, from the keys of this `attempt`."""

    delivery_id: Id
    order_id: Id
    line: OrderLine
    attempt: int
    buyer_key: str


class RecordPurchase(Command, key="delivery_id"):
    """What a supplier said of our purchase: done, failed for certain, or still working on it."""

    delivery_id: Id
    supplier: Id
    outcome: Literal["done", "failed", "pending"]
    supplier_ref: Text = ""
    cost: Money | None = None
    reason: Text = ""


class RecordPurchaseUnknown(Command, key="delivery_id"):
    """We could not learn what became of a purchase: a person must ask the supplier, nobody buys again."""

    delivery_id: Id
    supplier: Id
    reason: Text


class ResolveDelivery(Command, key="delivery_id"):
    """A person says what became of a delivery that was handed over."""

    delivery_id: Id
    delivered: bool
    note: Text


class KeysTaken(Event, key="delivery_id"):
    """The sealed keys that inventory reserved for a line are here; they are opened once the order is confirmed."""

    delivery_id: Id
    order_id: Id
    line: int
    attempt: int
    sku: Id
    keys: tuple[ReservedKey, ...]


class DeliveryRequested(Event, key="delivery_id"):
    """Confirmed; waiting for the keys of this `attempt`, the supplier or a person."""

    delivery_id: Id
    order_id: Id
    line: OrderLine
    attempt: int
    buyer_key: str


class KeysDelivered(Event, key="delivery_id"):
    """The line's keys, opened once and sealed again to the buyer's key (`envelope`), in the order of `numbers`."""

    delivery_id: Id
    order_id: Id
    line: int
    sku: Id
    numbers: tuple[int, ...]
    envelope: str


class PurchaseRequested(Event, key="delivery_id"):
    """Buy from this supplier, under a request id of `<delivery id>#<supplier>`."""

    delivery_id: Id
    order_id: Id
    line: int
    sku: Id
    supplier: Id
    request_id: Id
    quantity: int
    target: Text


class PurchasePending(Event, key="delivery_id"):
    """The supplier works on the purchase."""

    delivery_id: Id
    order_id: Id
    line: int
    supplier: Id
    request_id: Id
    supplier_ref: Text


class PurchaseFailed(Event, key="delivery_id"):
    """The supplier will certainly not deliver; the next one is asked, if there is one."""

    delivery_id: Id
    order_id: Id
    line: int
    supplier: Id
    reason: Text


class SupplierDelivered(Event, key="delivery_id"):
    """A supplier delivered the line; we owe it `cost`."""

    delivery_id: Id
    order_id: Id
    line: int
    sku: Id
    supplier: Id
    supplier_ref: Text
    cost: Money


class DeliveryHandedOver(Event, key="delivery_id"):
    """No machine can finish this delivery: a person must resolve it.

    `supplier` is the one whose purchase has an unknown outcome, `numbers` are the keys in doubt, if that is why.
    """

    delivery_id: Id
    order_id: Id
    line: int
    sku: Id
    reason: Text
    supplier: Id | None = None
    numbers: tuple[int, ...] = ()


class DeliveryResolved(Event, key="delivery_id"):
    """A person delivered the line by hand."""

    delivery_id: Id
    order_id: Id
    line: int
    sku: Id
    note: Text


class DeliveryFailed(Event, key="delivery_id"):
    """The line will not be delivered; `numbers` are the keys that could not be opened, if that was why."""

    delivery_id: Id
    order_id: Id
    line: int
    sku: Id
    reason: Text
    numbers: tuple[int, ...] = ()
