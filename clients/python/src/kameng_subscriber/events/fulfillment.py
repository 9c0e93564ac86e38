# Generated from the contracts by `python -m clients.generate`. Not to be edited.

"""What `fulfillment` tells."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from kameng_subscriber.events.common import Money
from kameng_subscriber.events.inventory import ReservedKey, SealedKey
from kameng_subscriber.events.order import OrderLine
from kameng_subscriber.models import EventData

__all__ = [
    "DeliveryFailed",
    "DeliveryHandedOver",
    "DeliveryRequested",
    "DeliveryResolved",
    "KeysDelivered",
    "KeysTaken",
    "PositionLost",
    "PurchaseFailed",
    "PurchasePending",
    "PurchaseRequested",
    "SupplierClaimWon",
    "SupplierDelivered",
    "SupplierGoodsOpened",
    "SupplierReportOpened",
    "SupplierReportRefused",
    "SupplierStatementRecorded",
    "SupplierStatementSettled",
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


class SupplierClaimWon(EventData, event_type="kameng.fulfillment.SupplierClaimWon.v1", event_key="delivery_id"):
    """A supplier credits what we claimed of it: it is owed less. `amount` is null where nothing was booked."""

    delivery_id: str
    order_id: str
    line: int
    supplier: str
    request_id: str
    statement: int
    amount: Money | None
    note: str


class SupplierDelivered(EventData, event_type="kameng.fulfillment.SupplierDelivered.v1", event_key="delivery_id"):
    """A supplier delivered the line; we owe it `cost`. Where it delivered texts, they are sealed again to the buyer's
    key (`envelope`), and `indexes` are their keyed hashes."""

    delivery_id: str
    order_id: str
    line: int
    sku: str
    supplier: str
    supplier_ref: str
    cost: Money
    envelope: str = ""
    indexes: tuple[str, ...] = ()


class SupplierGoodsOpened(EventData, event_type="kameng.fulfillment.SupplierGoodsOpened.v1", event_key="delivery_id"):
    """A person read the texts that came with a supplier's statement."""

    delivery_id: str
    order_id: str
    line: int
    supplier: str
    statement: int
    note: str


class SupplierReportOpened(EventData, event_type="kameng.fulfillment.SupplierReportOpened.v1", event_key="delivery_id"):
    """A person read the texts that came with a supplier's report of a purchase that was never asked of it. `order_id`
    is null where we know no such delivery."""

    delivery_id: str
    order_id: str | None
    supplier: str
    report: int
    note: str


class SupplierReportRefused(
    EventData, event_type="kameng.fulfillment.SupplierReportRefused.v1", event_key="delivery_id"
):
    """A supplier told, signed, of a purchase that was never asked of it; nothing moved. `order_id` is null where we
    know no such delivery. `goods` are texts that came with it, sealed to fulfillment."""

    delivery_id: str
    order_id: str | None
    supplier: str
    request_id: str
    outcome: Literal["done", "failed", "pending"] | str
    supplier_ref: str
    cost: Money | None
    reason: str
    goods: tuple[SealedKey, ...] = ()


class SupplierStatementRecorded(
    EventData, event_type="kameng.fulfillment.SupplierStatementRecorded.v2", event_key="delivery_id"
):
    """A supplier said something of a purchase that does not fit what had become of it.

    `bill` is what it adds to what this purchase costs: booked as a claim until a person settles it. `booked` is what
    the books held for the purchase before. A person must settle the statement, unless it `agrees`. `goods` are texts
    that it delivered and that no buyer waits for, or may have, sealed to fulfillment; `doubt` says why a buyer who
    waited was not given what came."""

    delivery_id: str
    order_id: str
    line: int
    sku: str
    supplier: str
    request_id: str
    statement: int
    finding: (
        Literal[
            "late-success", "late-failure", "other-cost", "other-reference", "doubtful-cost", "agrees", "doubtful-goods"
        ]
        | str
    )
    outcome: Literal["done", "failed", "pending"] | str
    supplier_ref: str
    cost: Money | None
    reason: str
    bill: Money | None = None
    booked: Money | None = None
    goods: tuple[SealedKey, ...] = ()
    doubt: str = ""


class SupplierStatementSettled(
    EventData, event_type="kameng.fulfillment.SupplierStatementSettled.v1", event_key="delivery_id"
):
    """A person settled a supplier's statement: we bear it as a cost, or hold the supplier for it.

    `bill` is booked now, for the first time; `moved` goes from the claims to the costs when we bear it, from the costs
    to the claims when we claim it."""

    delivery_id: str
    order_id: str
    line: int
    supplier: str
    request_id: str
    statement: int
    decision: Literal["cost", "claim"] | str
    bill: Money | None
    moved: Money | None
    note: str


class PositionLost(EventData, event_type="kameng.fulfillment.PositionLost.v1", event_key="log"):
    """What stood at this position was lost with a database, and nobody can know it any more. Nothing follows from it.

    It keeps the position from being given to another event: the log of the service `log` was restored up to `kept`,
    whose event is of the time `since`, and others had heard of events up to `upto`."""

    log: str
    kept: int
    upto: int
    since: datetime
