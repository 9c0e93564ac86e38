"""Deliveries: sealed keys opened for their buyer, top-ups bought from suppliers, the rest by people.

A delivery is one order line; its id is `<order id>/<line>`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import ConfigDict, Field, field_validator, model_validator

from shared.contracts.base import Command, Event, Former, Id, Money, Text, Value
from shared.contracts.inventory import ReservedKey, SealedKey
from shared.contracts.order import OrderLine
from shared.contracts.registry import downcaster, upcaster


def delivery_id(order_id: str, line: int) -> str:
    """The id of an order line's delivery."""
    return f"{order_id}/{line}"


def purchase_request_id(delivery_id: str, supplier: str) -> str:
    """The id under which a supplier knows a purchase: the same however often we ask."""
    return f"{delivery_id}#{supplier}"


Goods = Annotated[str, Field(min_length=1, max_length=500)]
FormerFinding = Literal["late-success", "late-failure", "other-cost", "other-reference", "doubtful-cost", "agrees"]
Finding = Literal[FormerFinding, "doubtful-goods"]
NO_CURRENCY = "XXX"  # of ISO 4217


def statement_id(delivery_id: str, statement: int) -> str:
    """The id of a supplier's statement about a delivery: statements are counted from 1 in each delivery."""
    return f"{delivery_id}/s{statement}"


def report_id(delivery_id: str, report: int) -> str:
    """The id of what a supplier told of a purchase that was never asked of it: such reports are counted from 1 in each
    delivery, in the order of its log."""
    return f"{delivery_id}/r{report}"


class PurchaseReport(Value):
    """What a supplier says of a purchase: in its answers to us and in its callbacks. `cost` is told when done, as are
    `goods`: the texts that it delivers, such as codes, where the product is a text.

    They are in the clear here and nowhere else: whoever receives a report seals them before it goes on. A cost that
    names no currency is in none (`XXX`), so that nobody takes it for one of ours.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    request_id: Id
    outcome: Literal["done", "failed", "pending"]
    supplier_ref: Text = ""
    cost: Money | None = None
    reason: Text = ""
    goods: tuple[Goods, ...] = Field(default=(), max_length=10_000, repr=False)

    @field_validator("cost", mode="before")
    @classmethod
    def _without_currency(cls, told: Any) -> Any:
        if isinstance(told, dict) and told.get("currency") in (None, ""):
            return {**told, "currency": NO_CURRENCY}
        return told

    @model_validator(mode="after")
    def _goods_of_what_is_done(self) -> PurchaseReport:
        if self.goods and self.outcome != "done":
            raise ValueError("goods are told of what is done")
        return self

    def told_by(self, supplier: str, goods: tuple[SealedKey, ...] = ()) -> RecordPurchase:
        """The command that records this report; `goods` are its texts, sealed. Raises ValueError for a purchase that
        was another supplier's."""
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
            goods=goods,
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
    """What a supplier said of our purchase: done, failed for certain, or still working on it. `goods` are the texts
    that it delivered, sealed to fulfillment: each sending has other boxes, and the same hashes."""

    incidental: ClassVar[frozenset[str]] = frozenset({"goods"})

    delivery_id: Id
    supplier: Id
    outcome: Literal["done", "failed", "pending"]
    supplier_ref: Text = ""
    cost: Money | None = None
    reason: Text = ""
    goods: tuple[SealedKey, ...] = ()


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


class SettleStatement(Command, key="delivery_id"):
    """A person settles what a supplier said: we bear it as a `cost`, or hold the supplier for it with a `claim`.

    A claim that was lost may be turned into a cost later. `cost` is what a doubtful bill really is, where it is borne.
    """

    delivery_id: Id
    statement: int
    decision: Literal["cost", "claim"]
    cost: Money | None = None
    note: Text


class WinClaim(Command, key="delivery_id"):
    """The supplier credits what we claimed of it: the claim is won, and ends."""

    delivery_id: Id
    statement: int
    note: Text


class OpenGoods(Command, key="delivery_id"):
    """A person wants to read the texts that came with a supplier's statement, sealed to `reader_key`."""

    delivery_id: Id
    statement: int
    reader_key: str
    note: Text


class OpenReport(Command, key="delivery_id"):
    """A person wants to read the texts that came with a report of a purchase that was never asked, sealed to
    `reader_key`."""

    delivery_id: Id
    report: int
    reader_key: str
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
    """A supplier delivered the line; we owe it `cost`. Where it delivered texts, they are sealed again to the buyer's
    key (`envelope`), and `indexes` are their keyed hashes."""

    delivery_id: Id
    order_id: Id
    line: int
    sku: Id
    supplier: Id
    supplier_ref: Text
    cost: Money
    envelope: str = ""
    indexes: tuple[str, ...] = ()


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


class SupplierStatementRecordedV1(Former, of="SupplierStatementRecorded", key="delivery_id", version=1):
    """A supplier said something of a purchase that does not fit what had become of it.

    `bill` is what it adds to what this purchase costs: booked as a claim until a person settles it. `booked` is what
    the books held for the purchase before. A person must settle the statement, unless it `agrees`. `goods` are texts
    that it delivered and that no buyer waits for, or may have, sealed to fulfillment; `doubt` says why a buyer who
    waited was not given them.
    """

    delivery_id: Id
    order_id: Id
    line: int
    sku: Id
    supplier: Id
    request_id: Id
    statement: int
    finding: FormerFinding
    outcome: Literal["done", "failed", "pending"]
    supplier_ref: Text
    cost: Money | None
    reason: Text
    bill: Money | None = None
    booked: Money | None = None
    goods: tuple[SealedKey, ...] = ()
    doubt: Text = ""


class SupplierStatementRecorded(Event, key="delivery_id", version=2):
    """A supplier said something of a purchase that does not fit what had become of it.

    `bill` is what it adds to what this purchase costs: booked as a claim until a person settles it. `booked` is what
    the books held for the purchase before. A person must settle the statement, unless it `agrees`. `goods` are texts
    that it delivered and that no buyer waits for, or may have, sealed to fulfillment; `doubt` says why a buyer who
    waited was not given what came.
    """

    delivery_id: Id
    order_id: Id
    line: int
    sku: Id
    supplier: Id
    request_id: Id
    statement: int
    finding: Finding
    outcome: Literal["done", "failed", "pending"]
    supplier_ref: Text
    cost: Money | None
    reason: Text
    bill: Money | None = None
    booked: Money | None = None
    goods: tuple[SealedKey, ...] = ()
    doubt: Text = ""


@upcaster("SupplierStatementRecorded", 1)
def _doubtful(body: dict[str, Any]) -> dict[str, Any]:
    """Goods in doubt were told by `doubt` alone."""
    in_doubt = body["finding"] == "late-success" and body.get("doubt")
    return {**body, "finding": "doubtful-goods"} if in_doubt else body


@downcaster("SupplierStatementRecorded", 2, until=date(2027, 6, 30))
def _late(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "finding": "late-success"} if body["finding"] == "doubtful-goods" else body


class SupplierReportRefused(Event, key="delivery_id"):
    """A supplier told, signed, of a purchase that was never asked of it; nothing moved. `order_id` is null where we
    know no such delivery. `goods` are texts that came with it, sealed to fulfillment."""

    delivery_id: Id
    order_id: Id | None
    supplier: Id
    request_id: Id
    outcome: Literal["done", "failed", "pending"]
    supplier_ref: Text
    cost: Money | None
    reason: Text
    goods: tuple[SealedKey, ...] = ()


Supplied: TypeAlias = SupplierDelivered | SupplierStatementRecorded | SupplierReportRefused


def supplied_indexes(event: Supplied) -> tuple[str, ...]:
    """The keyed hashes of the texts that a supplier sent with this; a text that can be no key has none."""
    if isinstance(event, SupplierDelivered):
        return event.indexes
    return tuple(one.index for one in event.goods if one.index)


class SupplierStatementSettled(Event, key="delivery_id"):
    """A person settled a supplier's statement: we bear it as a cost, or hold the supplier for it.

    `bill` is booked now, for the first time; `moved` goes from the claims to the costs when we bear it, from the costs
    to the claims when we claim it.
    """

    delivery_id: Id
    order_id: Id
    line: int
    supplier: Id
    request_id: Id
    statement: int
    decision: Literal["cost", "claim"]
    bill: Money | None
    moved: Money | None
    note: Text


class SupplierClaimWon(Event, key="delivery_id"):
    """A supplier credits what we claimed of it: it is owed less. `amount` is null where nothing was booked."""

    essential: ClassVar[bool] = True

    delivery_id: Id
    order_id: Id
    line: int
    supplier: Id
    request_id: Id
    statement: int
    amount: Money | None
    note: Text


class SupplierGoodsOpened(Event, key="delivery_id"):
    """A person read the texts that came with a supplier's statement."""

    delivery_id: Id
    order_id: Id
    line: int
    supplier: Id
    statement: int
    note: Text


class SupplierReportOpened(Event, key="delivery_id"):
    """A person read the texts that came with a supplier's report of a purchase that was never asked of it. `order_id`
    is null where we know no such delivery."""

    delivery_id: Id
    order_id: Id | None
    supplier: Id
    report: int
    note: Text
