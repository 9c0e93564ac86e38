"""The state of a delivery, folded from its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from shared.contracts import Event, Money, replace
from shared.contracts.fulfillment import (
    DeliveryFailed,
    DeliveryHandedOver,
    DeliveryRequested,
    DeliveryResolved,
    Finding,
    KeysDelivered,
    KeysTaken,
    PurchaseFailed,
    PurchasePending,
    PurchaseRequested,
    RecordPurchase,
    SupplierClaimWon,
    SupplierDelivered,
    SupplierReportRefused,
    SupplierStatementRecorded,
    SupplierStatementSettled,
)
from shared.contracts.inventory import ReservedKey, SealedKey
from shared.contracts.order import OrderLine

Phase = Literal["expected", "requested", "handed-over", "ended"]


@dataclass(frozen=True)
class Taken:
    """The sealed keys that inventory reserved for the line in its latest attempt."""

    attempt: int
    sku: str
    keys: tuple[ReservedKey, ...]


@dataclass(frozen=True)
class Said:
    """The parts of a supplier's statement that are the same when it is sent twice. Goods are represented by keyed
    hashes."""

    outcome: str
    supplier_ref: str = ""
    cost: Money | None = None
    goods: tuple[str, ...] = ()

    @staticmethod
    def of_report(event: SupplierReportRefused) -> Said:
        """All parts of a report about a purchase that was never ordered from its supplier."""
        return Said(event.outcome, event.supplier_ref, event.cost, tuple(one.index for one in event.goods))

    @staticmethod
    def of(command: RecordPurchase) -> Said:
        if command.outcome != "done":
            return Said(command.outcome, cost=_charged(command.cost))
        return Said("done", command.supplier_ref, command.cost, tuple(one.index for one in command.goods))


def _charged(cost: Money | None) -> Money | None:
    """The cost that is named for a failed purchase, None for none or zero."""
    return cost if cost is not None and cost.amount else None


@dataclass(frozen=True)
class Bought:
    """The purchase from one supplier: all of its statements, and the amount that the books hold for it."""

    said: tuple[Said, ...] = ()
    booked: Money | None = None

    @property
    def is_done(self) -> bool:
        return any(said.outcome == "done" for said in self.said)

    @property
    def last(self) -> Said | None:
        """The latest statement, None without any."""
        return self.said[-1] if self.said else None

    def has_said(self, what: Said) -> bool:
        """Whether this repeats the latest statement. A repetition may leave out the reference, and goods that are
        known.

        A statement that was made before another one is no repetition: it takes the other one back.
        """
        last = self.last
        if last is None or last.outcome != what.outcome:
            return False
        if what.outcome == "failed":
            return what.cost in (None, last.cost)
        known = {index for said in self.said for index in said.goods}
        return known.issuperset(what.goods) and what.cost == last.cost and what.supplier_ref in ("", last.supplier_ref)


@dataclass(frozen=True)
class Statement:
    """A statement that differs from what was known. `claimed` is its amount in the books as a claim; `settled` is the
    last decision of a person; `goods` are the sealed texts that came with it."""

    supplier: str
    finding: Finding
    claimed: Money | None = None
    settled: Literal["cost", "claim", "won"] | None = None
    goods: tuple[SealedKey, ...] = ()


@dataclass(frozen=True)
class Report:
    """A report about a purchase that was never ordered from the supplier. `goods` are the sealed texts that came with
    it."""

    supplier: str
    said: Said
    goods: tuple[SealedKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One order line on its way to the buyer.

    `phase` is "expected" before the order is confirmed. `supplier` is the one whose purchase is open or unknown;
    `asked` are all suppliers of purchases so far. `doubtful` are the numbers of keys that a person must look at.
    `purchases` are by supplier. `statements` differ from what was known, and `reports` are about purchases that were
    never ordered; both are numbered from 1 by position.
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
    delivered_by_hand: bool = False
    purchases: Mapping[str, Bought] = field(default_factory=dict)
    statements: tuple[Statement, ...] = ()
    reports: tuple[Report, ...] = ()


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
            purchases = {**state.purchases, supplier: Bought()}
            return replace(state, supplier=supplier, pending=False, asked=(*state.asked, supplier), purchases=purchases)
        case PurchasePending():
            return replace(state, pending=True)
        case PurchaseFailed():
            return replace(_said(state, event.supplier, Said("failed")), supplier=None, pending=False)
        case DeliveryHandedOver():
            return replace(state, phase="handed-over", doubtful=event.numbers)
        case SupplierDelivered():
            said = Said("done", event.supplier_ref, event.cost, event.indexes)
            return _ended(_said(state, event.supplier, said, event.cost))
        case DeliveryResolved():
            return replace(_ended(state), delivered_by_hand=True)
        case KeysDelivered() | DeliveryFailed():
            return _ended(state)
        case SupplierReportRefused():
            report = Report(event.supplier, Said.of_report(event), event.goods)
            return replace(state, reports=(*state.reports, report))
        case SupplierStatementRecorded():
            return _stated(state, event)
        case SupplierStatementSettled():
            return _settled(state, event)
        case SupplierClaimWon():
            return _won(state, event)
        case _:
            return state


def _ended(state: Delivery) -> Delivery:
    return replace(state, phase="ended", taken=None, supplier=None, pending=False)


def _said(state: Delivery, supplier: str, said: Said, billed: Money | None = None) -> Delivery:
    """Add a statement of the supplier, and `billed` to the amount that the books hold for its purchase."""
    before = state.purchases.get(supplier, Bought())
    booked = before.booked if billed is None else billed if before.booked is None else before.booked + billed
    return replace(state, purchases={**state.purchases, supplier: Bought((*before.said, said), booked)})


def _stated(state: Delivery, event: SupplierStatementRecorded) -> Delivery:
    said = Said(event.outcome, cost=_charged(event.cost))
    if event.outcome == "done":
        said = Said("done", event.supplier_ref, event.cost, tuple(one.index for one in event.goods))
    statement = Statement(event.supplier, event.finding, event.bill, goods=event.goods)
    recorded = replace(_said(state, event.supplier, said, event.bill), statements=(*state.statements, statement))
    # If the purchase was still open, its goods were in doubt. Nothing more is expected of it.
    return replace(recorded, supplier=None, pending=False) if event.supplier == state.supplier else recorded


def _settled(state: Delivery, event: SupplierStatementSettled) -> Delivery:
    """Settle a statement. The moved amount changes sides: a claim becomes a cost, or a cost a claim."""
    before = state.statements[event.statement - 1]
    is_claim = event.decision == "claim"
    claimed = (event.moved or before.claimed) if is_claim else None
    after = replace(before, settled=event.decision, claimed=claimed)
    statements = (*state.statements[: event.statement - 1], after, *state.statements[event.statement :])
    if event.bill is None:
        return replace(state, statements=statements)
    known = state.purchases[event.supplier]
    booked = event.bill if known.booked is None else known.booked + event.bill
    purchases = {**state.purchases, event.supplier: replace(known, booked=booked)}
    return replace(state, statements=statements, purchases=purchases)


def _won(state: Delivery, event: SupplierClaimWon) -> Delivery:
    """A won claim is no longer owed. If nothing is owed for a purchase any more, its statements are forgotten, so that
    every later statement counts as new."""
    after = replace(state.statements[event.statement - 1], settled="won", claimed=None)
    statements = (*state.statements[: event.statement - 1], after, *state.statements[event.statement :])
    known = state.purchases[event.supplier]
    if event.amount is not None and known.booked is not None:
        left = known.booked - event.amount
        known = Bought() if left.amount == 0 else replace(known, booked=left)
    return replace(state, statements=statements, purchases={**state.purchases, event.supplier: known})
