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
    """The line will not be delivered. `numbers` are keys that could not be opened or are doubtful, if any."""

    delivery_id: str
    order_id: str
    line: int
    sku: str
    reason: str
    numbers: tuple[int, ...] = ()


class DeliveryHandedOver(EventData, event_type="kameng.fulfillment.DeliveryHandedOver.v1", event_key="delivery_id"):
    """The delivery can't be finished automatically: a person must resolve it.

    The cause may be the unknown outcome of the purchase from `supplier`, or the doubtful keys in `numbers`."""

    delivery_id: str
    order_id: str
    line: int
    sku: str
    reason: str
    supplier: str | None = None
    numbers: tuple[int, ...] = ()


class DeliveryRequested(EventData, event_type="kameng.fulfillment.DeliveryRequested.v1", event_key="delivery_id"):
    """The order is confirmed. The delivery waits for the keys of this `attempt`, for the supplier or for a person."""

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
    """The line's keys were opened once and sealed again to the buyer's key (`envelope`), in the order of `numbers`."""

    delivery_id: str
    order_id: str
    line: int
    sku: str
    numbers: tuple[int, ...]
    envelope: str


class KeysTaken(EventData, event_type="kameng.fulfillment.KeysTaken.v1", event_key="delivery_id"):
    """Fulfillment stored the sealed keys that inventory reserved for a line. They are opened once the order is
    confirmed."""

    delivery_id: str
    order_id: str
    line: int
    attempt: int
    sku: str
    keys: tuple[ReservedKey, ...]


class PurchaseFailed(EventData, event_type="kameng.fulfillment.PurchaseFailed.v1", event_key="delivery_id"):
    """The supplier will certainly not deliver. The next supplier is asked, if there is one."""

    delivery_id: str
    order_id: str
    line: int
    supplier: str
    reason: str


class PurchasePending(EventData, event_type="kameng.fulfillment.PurchasePending.v1", event_key="delivery_id"):
    """The supplier is still working on the purchase."""

    delivery_id: str
    order_id: str
    line: int
    supplier: str
    request_id: str
    supplier_ref: str


class PurchaseRequested(EventData, event_type="kameng.fulfillment.PurchaseRequested.v1", event_key="delivery_id"):
    """The line is to be bought from this supplier. The request id is `<delivery id>#<supplier>`."""

    delivery_id: str
    order_id: str
    line: int
    sku: str
    supplier: str
    request_id: str
    quantity: int
    target: str


class SupplierClaimWon(EventData, event_type="kameng.fulfillment.SupplierClaimWon.v1", event_key="delivery_id"):
    """A supplier credits a claim: the shop owes it that much less. `amount` is null when nothing was booked."""

    delivery_id: str
    order_id: str
    line: int
    supplier: str
    request_id: str
    statement: int
    amount: Money | None
    note: str


class SupplierDelivered(EventData, event_type="kameng.fulfillment.SupplierDelivered.v1", event_key="delivery_id"):
    """A supplier delivered the line, and the shop owes it `cost`. If it delivered texts, `envelope` holds them, sealed
    again to the buyer's key, and `indexes` are their keyed hashes."""

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
    """A person read the texts of a supplier's report about a purchase that was never ordered from it. `order_id` is
    null when the delivery is unknown."""

    delivery_id: str
    order_id: str | None
    supplier: str
    report: int
    note: str


class SupplierReportRefused(
    EventData, event_type="kameng.fulfillment.SupplierReportRefused.v1", event_key="delivery_id"
):
    """A supplier reported, with a valid signature, a purchase that was never ordered from it. Nothing was booked.
    `order_id` is null when the delivery is unknown. `goods` are the texts of the report, sealed to fulfillment."""

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
    """A supplier made a statement about a purchase that was no longer open, or one with doubtful goods or a doubtful
    bill.

    `bill` is what the statement adds to the cost of the purchase. It is booked as a claim until a person settles it.
    `booked` is the amount booked for the purchase before. A person must settle the statement, unless its finding is
    `agrees`. `goods` are texts that the supplier delivered and no buyer was given, sealed to fulfillment; `doubt` says
    why the waiting buyer was not given what the supplier delivered."""

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
    """A person settled a supplier's statement: the shop bears the bill as a cost, or claims it back from the supplier.

    `bill` is booked now, for the first time. `moved` goes from the claims to the costs for a `cost`, and from the costs
    to the claims for a `claim`."""

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
    """The event at this position was lost with a database and can't be recovered. It changes no state.

    It takes up the position, so that no other event gets it. The log of the service `log` was restored from a backup up
    to position `kept`, whose event was recorded at `since`. Readers or subscribers knew events up to position `upto`.
    """

    log: str
    kept: int
    upto: int
    since: datetime
