"""Deliveries of keys from stock, of goods bought from suppliers, and by people.

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
    """The id of a purchase at its supplier. A repeated request has the same id."""
    return f"{delivery_id}#{supplier}"


Goods = Annotated[str, Field(min_length=1, max_length=500)]
FormerFinding = Literal["late-success", "late-failure", "other-cost", "other-reference", "doubtful-cost", "agrees"]
Finding = Literal[FormerFinding, "doubtful-goods"]
FINDING = Doc("How the statement differs from what was known; `agrees` when it does not differ.", "late-success")
NO_CURRENCY = "XXX"  # of ISO 4217
KnownOrder = Annotated[OrderId, Doc("The order; null when the delivery is unknown.")]
RequestId = Annotated[Id, Doc("The purchase: `<delivery id>#<supplier>`.", "1042/1#north")]
SupplierRef = Annotated[Text, Doc("The supplier's own number for the purchase; may be empty.", "N-88120")]
Outcome = Annotated[
    Literal["done", "failed", "pending"], Doc("The outcome of the purchase, as the supplier reports it.", "done")
]
Statement = Annotated[int, Doc("The number of the supplier's statement, from 1 in each delivery.", 1)]
Billed = Annotated[Money, Doc("The amount that the supplier bills; null when it named none.", 4100)]
Bill = Annotated[
    Money, Doc("The amount booked as owed to the supplier and claimed back from it; null when nothing is booked.", 4100)
]
Booked = Annotated[Money, Doc("The amount booked for the purchase before; null when nothing was booked.", 3900)]
SealedGoods = Annotated[
    tuple[SealedKey, ...],
    Doc(
        "Texts, such as codes, that the supplier delivered and no buyer was given, sealed to fulfillment.",
        [{"index": "YWxwaGE", "box": BOX}],
    ),
]
Doubt = Annotated[
    Text, Doc("Why the waiting buyer was not given the texts that the supplier delivered; else empty.", "")
]

# The type of aggregate that a stream is of, by the key of its events.
AGGREGATES = {"delivery_id": "delivery"}


def statement_id(delivery_id: str, statement: int) -> str:
    """The id of a supplier's statement about a delivery. Statements are counted from 1 in each delivery."""
    return f"{delivery_id}/s{statement}"


def report_id(delivery_id: str, report: int) -> str:
    """The id of a supplier's report about a purchase that was never ordered from it. Such reports are counted from 1 in
    each delivery, in the order of its log."""
    return f"{delivery_id}/r{report}"


class PurchaseReport(Value):
    """What a supplier reports about a purchase, in its answers and its callbacks. A purchase that is done has a `cost`,
    and `goods` if the product is a text: the delivered texts, such as codes.

    Only a report holds the texts unsealed: its receiver seals them before it passes them on. A cost without a currency
    gets the currency `XXX` (none), so that it is not taken for an amount in one of the shop's currencies.
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
        """The command that records this report; `goods` are its texts, sealed. Raises ValueError for a purchase from
        another supplier."""
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
    """Store the sealed keys that inventory reserved for the line."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    attempt: Attempt
    sku: Sku
    keys: ReservedKeys


class DeliverLine(Command, key="delivery_id"):
    """Deliver this line of a confirmed order to the holder of `buyer_key`, from the keys of this `attempt`."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: OrderLine
    attempt: Attempt
    buyer_key: BuyerKey


class RecordPurchase(Command, key="delivery_id"):
    """Record a supplier's report about a purchase: done, certainly failed, or pending. `goods` are the texts that it
    delivered, sealed to fulfillment. When the command is sent again, the boxes differ and the hashes do not."""

    incidental: ClassVar[frozenset[str]] = frozenset({"goods"})

    delivery_id: DeliveryId
    supplier: Supplier
    outcome: Outcome
    supplier_ref: SupplierRef = ""
    cost: Cost | None = None
    reason: Reason = ""
    goods: SealedGoods = ()


class RecordPurchaseUnknown(Command, key="delivery_id"):
    """Record that the outcome of a purchase is unknown. A person must ask the supplier; nothing is bought again."""

    delivery_id: DeliveryId
    supplier: Supplier
    reason: Reason


class ResolveDelivery(Command, key="delivery_id"):
    """Record the outcome of a delivery that was handed over to a person."""

    delivery_id: DeliveryId
    delivered: bool
    note: Note


class SettleStatement(Command, key="delivery_id"):
    """Settle a supplier's statement: the shop bears the bill as a `cost`, or claims it back with a `claim`.

    A lost claim can be turned into a cost later. `cost` is the true amount of a doubtful bill that the shop bears.
    """

    delivery_id: DeliveryId
    statement: Statement
    decision: Literal["cost", "claim"]
    cost: Cost | None = None
    note: Note


class WinClaim(Command, key="delivery_id"):
    """Record that the supplier credits a claim. The claim is won, and ends."""

    delivery_id: DeliveryId
    statement: Statement
    note: Note


class OpenGoods(Command, key="delivery_id"):
    """Open the texts that came with a supplier's statement, and seal them to `reader_key`, for a person to read."""

    delivery_id: DeliveryId
    statement: Statement
    reader_key: str
    note: Note


class OpenReport(Command, key="delivery_id"):
    """Open the texts that came with a report about a purchase that was never ordered from the supplier, and seal them
    to `reader_key`, for a person to read."""

    delivery_id: DeliveryId
    report: int
    reader_key: str
    note: Note


class KeysTaken(Event, key="delivery_id"):
    """Fulfillment stored the sealed keys that inventory reserved for a line. They are opened once the order is
    confirmed."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    attempt: Attempt
    sku: Sku
    keys: ReservedKeys


class DeliveryRequested(Event, key="delivery_id"):
    """The order is confirmed. The delivery waits for the keys of this `attempt`, for the supplier or for a person."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: LineToDeliver
    attempt: Attempt
    buyer_key: BuyerKey


class KeysDelivered(Event, key="delivery_id"):
    """The line's keys were opened once and sealed again to the buyer's key (`envelope`), in the order of `numbers`."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    sku: Sku
    numbers: Numbers
    envelope: Annotated[
        str, Doc("The line's keys, sealed to the buyer's key: ciphertext that only the buyer can open.", BOX)
    ]


class PurchaseRequested(Event, key="delivery_id"):
    """The line is to be bought from this supplier. The request id is `<delivery id>#<supplier>`."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    sku: Sku
    supplier: Supplier
    request_id: RequestId
    quantity: Annotated[int, Doc("How many pieces.", 2)]
    target: Annotated[Text, Doc("The account or phone to top up; empty where none is needed.", "13800000000")]


class PurchasePending(Event, key="delivery_id"):
    """The supplier is still working on the purchase."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    supplier: Supplier
    request_id: RequestId
    supplier_ref: SupplierRef


class PurchaseFailed(Event, key="delivery_id"):
    """The supplier will certainly not deliver. The next supplier is asked, if there is one."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    supplier: Supplier
    reason: Reason


class SupplierDelivered(Event, key="delivery_id"):
    """A supplier delivered the line, and the shop owes it `cost`. If it delivered texts, `envelope` holds them, sealed
    again to the buyer's key, and `indexes` are their keyed hashes."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    sku: Sku
    supplier: Supplier
    supplier_ref: SupplierRef
    cost: Annotated[Money, Doc("What the shop owes the supplier for the line.", 8200)]
    envelope: Annotated[str, Doc("The delivered texts, sealed to the buyer's key; may be empty.", BOX)] = ""
    indexes: Annotated[tuple[str, ...], Doc("Keyed hashes of the texts that the supplier delivered, if any.", [])] = ()


class DeliveryHandedOver(Event, key="delivery_id"):
    """The delivery can't be finished automatically: a person must resolve it.

    The cause may be the unknown outcome of the purchase from `supplier`, or the doubtful keys in `numbers`.
    """

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    sku: Sku
    reason: Reason
    supplier: Annotated[Supplier | None, Doc("Whose purchase has an unknown outcome, if that is the cause.")] = None
    numbers: Annotated[
        tuple[int, ...], Doc("The numbers of the doubtful keys; empty when keys are not the cause.", [17])
    ] = ()


class DeliveryResolved(Event, key="delivery_id"):
    """A person delivered the line by hand."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    sku: Sku
    note: Note


class DeliveryFailed(Event, key="delivery_id"):
    """The line will not be delivered. `numbers` are keys that could not be opened or are doubtful, if any."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    sku: Sku
    reason: Reason
    numbers: Annotated[
        tuple[int, ...], Doc("The numbers of keys that could not be opened or are doubtful; may be empty.", [17])
    ] = ()


class SupplierStatementRecordedV1(Former, of="SupplierStatementRecorded", key="delivery_id", version=1):
    """A supplier made a statement about a purchase that was no longer open, or one with doubtful goods or a doubtful
    bill.

    `bill` is what the statement adds to the cost of the purchase. It is booked as a claim until a person settles it.
    `booked` is the amount booked for the purchase before. A person must settle the statement, unless its finding is
    `agrees`. `goods` are texts that the supplier delivered and no buyer was given, sealed to fulfillment; `doubt` says
    why the waiting buyer was not given them.
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
    """A supplier made a statement about a purchase that was no longer open, or one with doubtful goods or a doubtful
    bill.

    `bill` is what the statement adds to the cost of the purchase. It is booked as a claim until a person settles it.
    `booked` is the amount booked for the purchase before. A person must settle the statement, unless its finding is
    `agrees`. `goods` are texts that the supplier delivered and no buyer was given, sealed to fulfillment; `doubt` says
    why the waiting buyer was not given what the supplier delivered.
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
    """Version 1 marks doubtful goods by `doubt` only."""
    in_doubt = body["finding"] == "late-success" and body.get("doubt")
    return {**body, "finding": "doubtful-goods"} if in_doubt else body


@downcaster("SupplierStatementRecorded", 2, until=date(2027, 6, 30))
def _late(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "finding": "late-success"} if body["finding"] == "doubtful-goods" else body


class SupplierReportRefused(Event, key="delivery_id"):
    """A supplier reported, with a valid signature, a purchase that was never ordered from it. Nothing was booked.
    `order_id` is null when the delivery is unknown. `goods` are the texts of the report, sealed to fulfillment."""

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
    """The keyed hashes of the texts that a supplier sent with this event. A text that can't be a key has none."""
    if isinstance(event, SupplierDelivered):
        return event.indexes
    return tuple(one.index for one in event.goods if one.index)


class SupplierStatementSettled(Event, key="delivery_id"):
    """A person settled a supplier's statement: the shop bears the bill as a cost, or claims it back from the supplier.

    `bill` is booked now, for the first time. `moved` goes from the claims to the costs for a `cost`, and from the costs
    to the claims for a `claim`.
    """

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    supplier: Supplier
    request_id: RequestId
    statement: Statement
    decision: Annotated[
        Literal["cost", "claim"], Doc("Whether the shop bears it as a cost, or claims it back.", "cost")
    ]
    bill: Bill | None
    moved: Annotated[Money | None, Doc("What moves between claims and costs; null when nothing does.", 4100)]
    note: Note


class SupplierClaimWon(Event, key="delivery_id"):
    """A supplier credits a claim: the shop owes it that much less. `amount` is null when nothing was booked."""

    essential: ClassVar[bool] = True

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    supplier: Supplier
    request_id: RequestId
    statement: Annotated[int, Doc("The number of the statement whose claim is won, from 1 in each delivery.", 1)]
    amount: Annotated[Money | None, Doc("What the supplier credits; null when nothing was booked.", 4100)]
    note: Note


class SupplierGoodsOpened(Event, key="delivery_id"):
    """A person read the texts that came with a supplier's statement."""

    delivery_id: DeliveryId
    order_id: OrderId
    line: Line
    supplier: Supplier
    statement: Annotated[int, Doc("The number of that statement, from 1 in each delivery.", 1)]
    note: Note


class SupplierReportOpened(Event, key="delivery_id"):
    """A person read the texts of a supplier's report about a purchase that was never ordered from it. `order_id` is
    null when the delivery is unknown."""

    delivery_id: DeliveryId
    order_id: KnownOrder | None
    supplier: Supplier
    report: Annotated[int, Doc("The number of that report, from 1 in each delivery.", 1)]
    note: Note
