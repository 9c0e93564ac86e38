# Generated from the contracts by `python -m clients.generate`. Not to be edited.

"""What `fulfillment` tells."""

from __future__ import annotations

from kameng_subscriber.events.common import Money
from kameng_subscriber.events.inventory import ReservedKey
from kameng_subscriber.events.order import OrderLine
from kameng_subscriber.models import EventData

__all__ = [
    "DeliveryFailed",
    "DeliveryHandedOver",
    "DeliveryRequested",
    "DeliveryResolved",
    "KeysDelivered",
    "KeysTaken",
    "PurchaseFailed",
    "PurchasePending",
    "PurchaseRequested",
    "SupplierDelivered",
]


class DeliveryFailed(EventData, event_type="kameng.fulfillment.DeliveryFailed.v1", event_key="delivery_id"):
    """The line will not be delivered; `numbers` are the keys that could not be opened, if that was why."""

    delivery_id: str
    order_id: str
    line: int
    sku: str
    reason: str
    numbers: tuple[int, ...] = ()


class DeliveryHandedOver(EventData, event_type="kameng.fulfillment.DeliveryHandedOver.v1", event_key="delivery_id"):
    """No machine can finish this delivery: a person must resolve it.

    `supplier` is the one whose purchase has an unknown outcome, `numbers` are the keys in doubt, if that is why."""

    delivery_id: str
    order_id: str
    line: int
    sku: str
    reason: str
    supplier: str | None = None
    numbers: tuple[int, ...] = ()


class DeliveryRequested(EventData, event_type="kameng.fulfillment.DeliveryRequested.v1", event_key="delivery_id"):
    """Confirmed; waiting for the keys of this `attempt`, the supplier or a person."""

    delivery_id: str
    order_id: str
    line: OrderLine
    attempt: int
    buyer_key: str


class DeliveryResolved(EventData, event_type="kameng.fulfillment.DeliveryResolved.v1", event_key="delivery_id"):
    """A person delivered the line by hand."""

    delivery_id: str
    order_id: str
    line: int
    sku: str
    note: str


class KeysDelivered(EventData, event_type="kameng.fulfillment.KeysDelivered.v1", event_key="delivery_id"):
    """The line's keys, opened once and sealed again to the buyer's key (`envelope`), in the order of `numbers`."""

    delivery_id: str
    order_id: str
    line: int
    sku: str
    numbers: tuple[int, ...]
    envelope: str


class KeysTaken(EventData, event_type="kameng.fulfillment.KeysTaken.v1", event_key="delivery_id"):
    """The sealed keys that inventory reserved for a line are here; they are opened once the order is confirmed."""

    delivery_id: str
    order_id: str
    line: int
    attempt: int
    sku: str
    keys: tuple[ReservedKey, ...]


class PurchaseFailed(EventData, event_type="kameng.fulfillment.PurchaseFailed.v1", event_key="delivery_id"):
    """The supplier will certainly not deliver; the next one is asked, if there is one."""

    delivery_id: str
    order_id: str
    line: int
    supplier: str
    reason: str


class PurchasePending(EventData, event_type="kameng.fulfillment.PurchasePending.v1", event_key="delivery_id"):
    """The supplier works on the purchase."""

    delivery_id: str
    order_id: str
    line: int
    supplier: str
    request_id: str
    supplier_ref: str


class PurchaseRequested(EventData, event_type="kameng.fulfillment.PurchaseRequested.v1", event_key="delivery_id"):
    """Buy from this supplier, under a request id of `<delivery id>#<supplier>`."""

    delivery_id: str
    order_id: str
    line: int
    sku: str
    supplier: str
    request_id: str
    quantity: int
    target: str


class SupplierDelivered(EventData, event_type="kameng.fulfillment.SupplierDelivered.v1", event_key="delivery_id"):
    """A supplier delivered the line; we owe it `cost`."""

    delivery_id: str
    order_id: str
    line: int
    sku: str
    supplier: str
    supplier_ref: str
    cost: Money
