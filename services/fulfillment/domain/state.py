"""What a delivery is, folded from its events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.contracts import Event, replace
from shared.contracts.fulfillment import (
    DeliveryFailed,
    DeliveryHandedOver,
    DeliveryRequested,
    DeliveryResolved,
    KeysDelivered,
    KeysTaken,
    PurchaseFailed,
    PurchasePending,
    PurchaseRequested,
    SupplierDelivered,
)
from shared.contracts.inventory import ReservedKey
from shared.contracts.order import OrderLine

Phase = Literal["expected", "requested", "handed-over", "ended"]


@dataclass(frozen=True)
class Taken:
    """The sealed keys that inventory reserved for the line in its latest attempt."""

    attempt: int
    sku: str
    keys: tuple[ReservedKey, ...]


@dataclass(frozen=True)
class Delivery:
    """One order line on its way to the buyer.

    `phase` is "expected" before the order is confirmed. `supplier` is the one whose purchase is open or unknown,
    `asked` are all that were ever asked. `doubtful` are the numbers of keys that a person must look at.
    """

    phase: Phase = "expected"
    order_id: str = ""
    line: OrderLine | None = None
    attempt: int = 0
    buyer_key: str = ""
    taken: Taken | None = None
    supplier: str | None = None
    pending: bool = False
    asked: tuple[str, ...] = ()
    doubtful: tuple[int, ...] = ()


def evolve(state: Delivery, event: Event) -> Delivery:
    """The delivery after one more event."""
    match event:
        case KeysTaken():
            return replace(state, order_id=event.order_id, taken=Taken(event.attempt, event.sku, event.keys))
        case DeliveryRequested():
            return replace(
                state,
                phase="requested",
                order_id=event.order_id,
                line=event.line,
                attempt=event.attempt,
                buyer_key=event.buyer_key,
            )
        case PurchaseRequested(supplier=supplier):
            return replace(state, supplier=supplier, pending=False, asked=(*state.asked, supplier))
        case PurchasePending():
            return replace(state, pending=True)
        case PurchaseFailed():
            return replace(state, supplier=None, pending=False)
        case DeliveryHandedOver():
            return replace(state, phase="handed-over", doubtful=event.numbers)
        case KeysDelivered() | SupplierDelivered() | DeliveryResolved() | DeliveryFailed():
            return replace(state, phase="ended", taken=None, supplier=None, pending=False)
        case _:
            return state
