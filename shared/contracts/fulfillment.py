"""Deliveries: sealed keys opened for their buyer, top-ups bought from suppliers, the rest by people.

A delivery is one order line; its id is `<order id>/<line>`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import ConfigDict, Field, field_validator, model_validator

from shared.contracts.base import BOX, Command, Doc, Event, Former, Id, Money, Text, Value
from shared.contracts.fields import Attempt, BuyerKey, DeliveryId, Line, Note, Numbers, OrderId, Reason, Sku, Supplier
from shared.contracts.inventory import Cost, ReservedKeys, SealedKey
from shared.contracts.order import LineToDeliver, OrderLine
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
FINDING = Doc("How the statement does not fit what was known; `agrees` when it does.", "late-success")
NO_CURRENCY = "XXX"  # of ISO 4217
KnownOrder = Annotated[OrderId, Doc("The order; null where we know no such delivery.")]
RequestId = Annotated[Id, Doc("The purchase: `<delivery id>#<supplier>`.", "1042/1#north")]
SupplierRef = Annotated[Text, Doc("The supplier's own number for the purchase; may be empty.", "N-88120")]
Outcome = Annotated[Literal["done", "failed", "pending"], Doc("What the supplier says became of the purchase.", "done")]
Statement = Annotated[int, Doc("The supplier's statement, counted from 1 in its delivery.", 1)]
Billed = Annotated[Money, Doc("What the supplier bills, as it said; null where it named none.", 4100)]
Bill = Annotated[Money, Doc("What is booked for it, as owed and as claimed back; null when nothing is.", 4100)]
Booked = Annotated[Money, Doc("What the books held for the purchase before; null when nothing.", 3900)]
SealedGoods = Annotated[
    tuple[SealedKey, ...],
    Doc(
        "Texts that it delivered and that no buyer waits for, or may have, sealed to fulfillment.",
        [{"index": "YWxwaGE", "box": BOX}],
    ),
]
Doubt = Annotated[Text, Doc("Why a buyer who waited was not given the texts that came; empty when nobody waited.", "")]

# What a stream is called by, by the key of its events.
AGGREGATES = {"delivery_id": "delivery"}


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

    request_id: RequestId
    outcome: Outcome
    supplier_ref: SupplierRef = ""
    cost: Cost | None = None
    reason: Reason = ""
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

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    attempt: Attempt
    sku: Sku
    keys: ReservedKeys


class DeliverLine(Command, key="delivery_id"):
    """The order is confirmed: deliver this line to the holder of `buyer_key`, from the keys of this `attempt`."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: OrderLine
    attempt: Attempt
    buyer_key: BuyerKey


class RecordPurchase(Command, key="delivery_id"):
    """What a supplier said of our purchase: done, failed for certain, or still working on it. `goods` are the texts
    that it delivered, sealed to fulfillment: each sending has other boxes, and the same hashes."""

    incidental: ClassVar[frozenset[str]] = frozenset({"goods"})

    delivery_id: DeliveryId
    supplier: Supplier
    outcome: Outcome
    supplier_ref: SupplierRef = ""
    cost: Cost | None = None
    reason: Reason = ""
    goods: SealedGoods = ()


class RecordPurchaseUnknown(Command, key="delivery_id"):
    """We could not learn what became of a purchase: a person must ask the supplier, nobody buys again."""

    delivery_id: DeliveryId
    supplier: Supplier
    reason: Reason


class ResolveDelivery(Command, key="delivery_id"):
    """A person says what became of a delivery that was handed over."""

    delivery_id: DeliveryId
    delivered: bool
    note: Note


class SettleStatement(Command, key="delivery_id"):
    """A person settles what a supplier said: we bear it as a `cost`, or hold the supplier for it with a `claim`.

    A claim that was lost may be turned into a cost later. `cost` is what a doubtful bill really is, where it is borne.
    """

    delivery_id: DeliveryId
    statement: Statement
    decision: Literal["cost", "claim"]
    cost: Cost | None = None
    note: Note


class WinClaim(Command, key="delivery_id"):
    """The supplier credits what we claimed of it: the claim is won, and ends."""

    delivery_id: DeliveryId
    statement: Statement
    note: Note


class OpenGoods(Command, key="delivery_id"):
    """A person wants to read the texts that came with a supplier's statement, sealed to `reader_key`."""

    delivery_id: DeliveryId
    statement: Statement
    reader_key: str
    note: Note


class OpenReport(Command, key="delivery_id"):
    """A person wants to read the texts that came with a report of a purchase that was never asked, sealed to
    `reader_key`."""

    delivery_id: DeliveryId
    report: int
    reader_key: str
    note: Note


class KeysTaken(Event, key="delivery_id"):
    """The sealed keys that inventory reserved for a line are here; they are opened once the order is confirmed."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    attempt: Attempt
    sku: Sku
    keys: ReservedKeys


class DeliveryRequested(Event, key="delivery_id"):
    """Confirmed; waiting for the keys of this `attempt`, the supplier or a person."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: LineToDeliver
    attempt: Attempt
    buyer_key: BuyerKey


class KeysDelivered(Event, key="delivery_id"):
    """The line's keys, opened once and sealed again to the buyer's key (`envelope`), in the order of `numbers`."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    sku: Sku
    numbers: Numbers
    envelope: Annotated[
        str, Doc("The line's keys, sealed to the buyer's key: ciphertext that only the buyer can open.", BOX)
    ]


class PurchaseRequested(Event, key="delivery_id"):
    """Buy from this supplier, under a request id of `<delivery id>#<supplier>`."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    sku: Sku
    supplier: Supplier
    request_id: RequestId
    quantity: Annotated[int, Doc("How many pieces.", 2)]
    target: Annotated[Text, Doc("The account or phone to top up; empty where none is needed.", "13800000000")]


class PurchasePending(Event, key="delivery_id"):
    """The supplier works on the purchase."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    supplier: Supplier
    request_id: RequestId
    supplier_ref: SupplierRef


class PurchaseFailed(Event, key="delivery_id"):
    """The supplier will certainly not deliver; the next one is asked, if there is one."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    supplier: Supplier
    reason: Reason


class SupplierDelivered(Event, key="delivery_id"):
    """A supplier delivered the line; we owe it `cost`. Where it delivered texts, they are sealed again to the buyer's
    key (`envelope`), and `indexes` are their keyed hashes."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    sku: Sku
    supplier: Supplier
    supplier_ref: SupplierRef
    cost: Annotated[Money, Doc("What we owe the supplier for it.", 8200)]
    envelope: Annotated[str, Doc("The texts that it delivered, sealed to the buyer's key; may be empty.", BOX)] = ""
    indexes: Annotated[
        tuple[str, ...], Doc("Keyed hashes of the texts that the supplier delivered, if it did.", [])
    ] = ()


class DeliveryHandedOver(Event, key="delivery_id"):
    """No machine can finish this delivery: a person must resolve it.

    `supplier` is the one whose purchase has an unknown outcome, `numbers` are the keys in doubt, if that is why.
    """

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    sku: Sku
    reason: Reason
    supplier: Annotated[Supplier | None, Doc("Whose purchase has an unknown outcome, if that is why.")] = None
    numbers: Annotated[
        tuple[int, ...], Doc("The keys in doubt, by number; empty when it is not about keys.", [17])
    ] = ()


class DeliveryResolved(Event, key="delivery_id"):
    """A person delivered the line by hand."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    sku: Sku
    note: Note


class DeliveryFailed(Event, key="delivery_id"):
    """The line will not be delivered; `numbers` are the keys that could not be opened, if that was why."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    sku: Sku
    reason: Reason
    numbers: Annotated[
        tuple[int, ...], Doc("The keys that could not be opened, by number; empty when it was not that.", [17])
    ] = ()


class SupplierStatementRecordedV1(Former, of="SupplierStatementRecorded", key="delivery_id", version=1):
    """A supplier said something of a purchase that does not fit what had become of it.

    `bill` is what it adds to what this purchase costs: booked as a claim until a person settles it. `booked` is what
    the books held for the purchase before. A person must settle the statement, unless it `agrees`. `goods` are texts
    that it delivered and that no buyer waits for, or may have, sealed to fulfillment; `doubt` says why a buyer who
    waited was not given them.
    """

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    sku: Sku
    supplier: Supplier
    request_id: RequestId
    statement: Statement
    finding: Annotated[FormerFinding, FINDING]
    outcome: Outcome
    supplier_ref: SupplierRef
    cost: Billed | None
    reason: Reason
    bill: Bill | None = None
    booked: Booked | None = None
    goods: SealedGoods = ()
    doubt: Doubt = ""


class SupplierStatementRecorded(Event, key="delivery_id", version=2):
    """A supplier said something of a purchase that does not fit what had become of it.

    `bill` is what it adds to what this purchase costs: booked as a claim until a person settles it. `booked` is what
    the books held for the purchase before. A person must settle the statement, unless it `agrees`. `goods` are texts
    that it delivered and that no buyer waits for, or may have, sealed to fulfillment; `doubt` says why a buyer who
    waited was not given what came.
    """

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    sku: Sku
    supplier: Supplier
    request_id: RequestId
    statement: Statement
    finding: Annotated[Finding, FINDING]
    outcome: Outcome
    supplier_ref: SupplierRef
    cost: Billed | None
    reason: Reason
    bill: Bill | None = None
    booked: Booked | None = None
    goods: SealedGoods = ()
    doubt: Doubt = ""


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

    delivery_id: DeliveryId
    order_id: KnownOrder | None
    supplier: Supplier
    request_id: RequestId
    outcome: Outcome
    supplier_ref: SupplierRef
    cost: Billed | None
    reason: Reason
    goods: SealedGoods = ()


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

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    supplier: Supplier
    request_id: RequestId
    statement: Statement
    decision: Annotated[
        Literal["cost", "claim"], Doc("Whether we bear it as a cost, or claim it from the supplier.", "cost")
    ]
    bill: Bill | None
    moved: Annotated[Money | None, Doc("What changes sides between claims and costs; null when nothing does.", 4100)]
    note: Note


class SupplierClaimWon(Event, key="delivery_id"):
    """A supplier credits what we claimed of it: it is owed less. `amount` is null where nothing was booked."""

    essential: ClassVar[bool] = True

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    supplier: Supplier
    request_id: RequestId
    statement: Annotated[int, Doc("The statement whose claim is won, counted from 1 in its delivery.", 1)]
    amount: Annotated[Money | None, Doc("What the supplier credits; null where nothing was booked.", 4100)]
    note: Note


class SupplierGoodsOpened(Event, key="delivery_id"):
    """A person read the texts that came with a supplier's statement."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    supplier: Supplier
    statement: Annotated[int, Doc("The statement that they came with, counted from 1 in its delivery.", 1)]
    note: Note


class SupplierReportOpened(Event, key="delivery_id"):
    """A person read the texts that came with a supplier's report of a purchase that was never asked of it. `order_id`
    is null where we know no such delivery."""

    delivery_id: DeliveryId
    order_id: KnownOrder | None
    supplier: Supplier
    report: Annotated[int, Doc("The report that they came with, counted from 1 among those of its delivery.", 1)]
    note: Note
