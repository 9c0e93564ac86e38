"""Events of a small shop, and what the laws say of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal

from laws import watch
from shared.contracts import Event, Metadata
from shared.contracts.fulfillment import (
    DeliveryFailed,
    KeysDelivered,
    PurchaseFailed,
    PurchaseRequested,
    SupplierDelivered,
)
from shared.contracts.inventory import KeysLoaded, ReservedKey, SealedKey, StockReserved, StockSettled
from shared.contracts.ledger import (
    EntryPosted,
    FundsCaptured,
    FundsHeld,
    FundsRefunded,
    HoldVoided,
    PaymentReceived,
    PaymentReturned,
    Posting,
    ReturnRequested,
    SupplierCostPosted,
)
from shared.contracts.order import (
    DeliveryRecorded,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderLine,
    OrderPlaced,
    OrderReopened,
    RefundApproved,
    ReplacementFailed,
    ReplacementRequested,
    ScreeningRecorded,
)
from shared.contracts.risk import CaseDecided, Decision, OrderScreened
from shared.eventstore.recorded import RecordedEvent
from shared.laws import Finding, LawChecker
from tests.amounts import minor

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SKU = "CARD"
META = Metadata(correlation_id="flow", causation_id="cause")


def transfer(debit: str, credit: str, fen: int) -> tuple[Posting, Posting]:
    return Posting(account=debit, amount=minor(fen)), Posting(account=credit, amount=minor(-fen))


def record(events: Iterable[Event], causation_id: str = "cause") -> list[RecordedEvent]:
    """The events as the logs of their services hold them."""
    positions: dict[str, int] = defaultdict(int)
    meta = META.model_copy(update={"causation_id": causation_id}).model_dump_json()
    recorded = []
    for event in events:
        positions[event.owner] += 1
        position, stream = positions[event.owner], f"{event.owner}-{event.partition_key()}"
        id_, data = f"{event.owner}-{position}", event.model_dump_json()
        recorded.append(RecordedEvent(event.owner, position, stream, position, id_, event.type(), data, meta, NOW))
    return recorded


def watched(*events: Event) -> LawChecker:
    """A watch that saw these events."""
    seen = watch()
    for recorded in record(events):
        seen.saw(recorded)
    return seen


def broken(*events: Event, drained: bool = False) -> dict[str, tuple[str, ...]]:
    """What each broken law complains of."""
    return {finding.law: finding.violations for finding in watched(*events).findings(drained=drained) if not finding.ok}


def finding(law: str, *events: Event, drained: bool = False) -> Finding:
    """What one law says."""
    (found,) = (found for found in watched(*events).findings(drained=drained) if found.law == law)
    return found


# Stock


def loaded(*indexes: str, first: int = 1) -> KeysLoaded:
    keys = tuple(SealedKey(index=index, box="box") for index in indexes)
    return KeysLoaded(sku=SKU, batch_id="b-1", first=first, keys=keys)


def reserved(order_id: str, *numbers: int, line: int = 1) -> StockReserved:
    keys = tuple(ReservedKey(number=number, box="box") for number in numbers)
    return StockReserved(sku=SKU, order_id=order_id, line=line, attempt=1, keys=keys, expires_at=NOW)


def settled(order_id: str, *numbers: int, line: int = 1) -> StockSettled:
    return StockSettled(sku=SKU, order_id=order_id, line=line, numbers=numbers)


# Deliveries


def keys_delivered(order_id: str, *numbers: int, line: int = 1) -> KeysDelivered:
    return KeysDelivered(
        delivery_id=f"{order_id}/{line}", order_id=order_id, line=line, sku=SKU, numbers=numbers, envelope="sealed"
    )


def delivery_failed(order_id: str, line: int = 1) -> DeliveryFailed:
    return DeliveryFailed(delivery_id=f"{order_id}/{line}", order_id=order_id, line=line, sku=SKU, reason="lost")


def asked(order_id: str, supplier: str, request_id: str | None = None) -> PurchaseRequested:
    return PurchaseRequested(
        delivery_id=f"{order_id}/1",
        order_id=order_id,
        line=1,
        sku="TOP-UP",
        supplier=supplier,
        request_id=request_id or f"{order_id}/1#{supplier}",
        quantity=1,
        target="13800000000",
    )


def refused(order_id: str, supplier: str) -> PurchaseFailed:
    return PurchaseFailed(delivery_id=f"{order_id}/1", order_id=order_id, line=1, supplier=supplier, reason="no")


def bought(order_id: str, supplier: str) -> SupplierDelivered:
    return SupplierDelivered(
        delivery_id=f"{order_id}/1",
        order_id=order_id,
        line=1,
        sku="TOP-UP",
        supplier=supplier,
        supplier_ref="ref",
        cost=minor(950),
    )


# Money


def deposited(account: str, fen: int) -> EntryPosted:
    return EntryPosted(entry_id=f"deposit-{account}", postings=transfer("channel:wechat", account, fen), note="")


def received(order_id: str, fen: int, ref: str | None = None) -> PaymentReceived:
    account = f"order:{order_id}"
    return PaymentReceived(
        payment_id=order_id,
        account=account,
        amount=minor(fen),
        channel="wechat",
        channel_ref=ref or f"ref-{order_id}",
        callback_id="callback",
        order_id=order_id,
        postings=transfer("channel:wechat", account, fen),
    )


def held(order_id: str, fen: int, account: str | None = None) -> FundsHeld:
    return FundsHeld(order_id=order_id, account=account or f"order:{order_id}", amount=minor(fen))


def voided(order_id: str, fen: int) -> HoldVoided:
    return HoldVoided(order_id=order_id, account=f"order:{order_id}", amount=minor(fen), reason="cancelled")


def captured(order_id: str, fen: int, freed: int = 0) -> FundsCaptured:
    account = f"order:{order_id}"
    return FundsCaptured(
        order_id=order_id,
        account=account,
        amount=minor(fen),
        released=minor(freed),
        postings=transfer(account, "revenue:main", fen),
    )


def refunded(order_id: str, fen: int, refund_id: str = "refund-1") -> FundsRefunded:
    account = f"order:{order_id}"
    return FundsRefunded(
        order_id=order_id,
        refund_id=refund_id,
        account=account,
        amount=minor(fen),
        postings=transfer("refunds:main", account, fen),
    )


def return_requested(order_id: str, fen: int, return_id: str = "refund-1") -> ReturnRequested:
    return ReturnRequested(
        payment_id=order_id, return_id=return_id, amount=minor(fen), channel="wechat", channel_ref=f"ref-{order_id}"
    )


def returned(order_id: str, fen: int, return_id: str = "refund-1") -> PaymentReturned:
    return PaymentReturned(
        payment_id=order_id,
        return_id=return_id,
        amount=minor(fen),
        postings=transfer(f"order:{order_id}", "channel:wechat", fen),
    )


def cost_posted(order_id: str, fen: int) -> SupplierCostPosted:
    return SupplierCostPosted(
        order_id=order_id,
        line=1,
        supplier="north",
        cost=minor(fen),
        postings=transfer("cost:main", "supplier:north", fen),
    )


# Orders


def placed(order_id: str, fen: int = 1_000, quantity: int = 1) -> OrderPlaced:
    line = OrderLine(
        line=1, sku=SKU, name="Card", kind="card-key", source="keys", quantity=quantity, unit_price=minor(fen),
        amount=minor(fen * quantity),
    )  # fmt: skip
    return OrderPlaced(
        order_id=order_id, customer=None, lines=(line,), total=line.amount, payment="wechat", sales_channel="web",
        channel_order_no=None, buyer_key="key", ip="", device="", email="", locale="zh", agent=None, fingerprint="",
        pay_by=NOW, reserved_until=NOW,
    )  # fmt: skip


def screened(order_id: str, decision: Decision = "pass") -> OrderScreened:
    return OrderScreened(
        order_id=order_id,
        customer=None,
        ip="",
        device="",
        targets=(),
        amount=minor(1_000),
        decision=decision,
        reasons=(),
    )


def decided(order_id: str, decision: Literal["pass", "block"]) -> CaseDecided:
    return CaseDecided(order_id=order_id, decision=decision, note="")


def heard(order_id: str, decision: Decision = "pass") -> ScreeningRecorded:
    return ScreeningRecorded(order_id=order_id, decision=decision, reasons=())


def confirmed(order_id: str) -> OrderConfirmed:
    return OrderConfirmed(order_id=order_id, customer=None, lines=(), attempt=1, buyer_key="key")


def reopened(order_id: str) -> OrderReopened:
    return OrderReopened(order_id=order_id, lines=(), attempt=2, reserved_until=NOW)


def replaced(order_id: str, line: int, number: int, replaces: int = 1) -> ReplacementRequested:
    fresh = placed(order_id).lines[0].model_copy(update={"line": line, "unit_price": minor(0), "amount": minor(0)})
    return ReplacementRequested(
        order_id=order_id, line=fresh, replaces=replaces, number=number, reason="used", reserved_until=NOW
    )


def not_replaced(order_id: str, line: int) -> ReplacementFailed:
    return ReplacementFailed(order_id=order_id, line=line, reason="none left")


def line_recorded(order_id: str, *, delivered: bool = True, line: int = 1) -> DeliveryRecorded:
    return DeliveryRecorded(order_id=order_id, line=line, delivered=delivered, numbers=())


def completed(order_id: str, fen: int, undelivered: int = 0) -> OrderCompleted:
    return OrderCompleted(
        order_id=order_id, customer=None, delivered=minor(fen), undelivered=minor(undelivered), agent=None
    )


def cancelled(order_id: str, *, paid: bool) -> OrderCancelled:
    return OrderCancelled(order_id=order_id, customer=None, reason="buyer", paid=paid, lines=())


def refund_approved(
    order_id: str, fen: int, refund_id: str = "refund-1", line: int | None = None, number: int | None = None
) -> RefundApproved:
    return RefundApproved(
        order_id=order_id, refund_id=refund_id, amount=minor(fen), reason="broken", line=line, number=number
    )


# Histories in which every law holds


def sale(order_id: str, number: int) -> list[Event]:
    """Paid straight at the channel, delivered from stock, refunded in part later."""
    return [
        loaded(f"index-{number}", first=number),
        placed(order_id),
        screened(order_id),
        received(order_id, 1_000),
        held(order_id, 1_000),
        reserved(order_id, number),
        heard(order_id),
        confirmed(order_id),
        keys_delivered(order_id, number),
        line_recorded(order_id),
        settled(order_id, number),
        completed(order_id, 1_000),
        captured(order_id, 1_000),
        refund_approved(order_id, 300),
        refunded(order_id, 300),
        return_requested(order_id, 300),
        returned(order_id, 300),
    ]


def top_up(order_id: str) -> list[Event]:
    """Two suppliers asked, one delivered."""
    return [
        screened(order_id),
        received(order_id, 1_000),
        held(order_id, 1_000),
        heard(order_id),
        confirmed(order_id),
        asked(order_id, "south"),
        refused(order_id, "south"),
        asked(order_id, "north"),
        bought(order_id, "north"),
        line_recorded(order_id),
        completed(order_id, 1_000),
        captured(order_id, 1_000),
        cost_posted(order_id, 950),
    ]


def cancellation(order_id: str) -> list[Event]:
    """Paid, cancelled by the buyer, paid back."""
    return [
        received(order_id, 1_000),
        held(order_id, 1_000),
        cancelled(order_id, paid=True),
        voided(order_id, 1_000),
        return_requested(order_id, 1_000, "hold#rest"),
        returned(order_id, 1_000, "hold#rest"),
    ]


def by_service(events: Sequence[Event]) -> dict[str, list[Event]]:
    """The log of each service."""
    logs: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        logs[event.owner].append(event)
    return logs
