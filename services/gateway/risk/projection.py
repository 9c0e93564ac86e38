"""Risk cases and lists, from the risk log alone."""

from __future__ import annotations

import sqlalchemy as sa

from services.gateway.resource_projection import OpenRows, ResourceProjection, folds, iso, metadata
from shared.contracts.risk import CaseClosed, CaseDecided, CaseOpened, ListEntryRemoved, ListEntrySet, OrderScreened
from shared.eventstore.recorded import RecordedEvent

risk_cases = sa.Table(
    "risk_cases",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("screening", sa.Text),
    sa.Column("reasons", sa.JSON, nullable=False),
    sa.Column("customer", sa.Text),
    sa.Column("ip", sa.Text),
    sa.Column("device", sa.Text),
    sa.Column("amount", sa.BigInteger),
    sa.Column("currency", sa.Text),
    sa.Column("decision", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("decided_by", sa.Text),
    sa.Column("screened_at", sa.Text),
    sa.Column("decided_at", sa.Text),
    sa.Index("risk_cases_by_status", "status", "screened_at", "order_id"),
)

risk_lists = sa.Table(
    "risk_lists",
    metadata,
    sa.Column("entry", sa.Text, primary_key=True),
    sa.Column("list", sa.Text, nullable=False),
    sa.Column("dimension", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("until", sa.Text),
    sa.Column("set_at", sa.Text, nullable=False),
    sa.Column("set_by", sa.Text, nullable=False),
)


class Risk(ResourceProjection):
    """Cases and lists. An order that did not pass its screening has a case: blocked, open (waits for a person), closed
    (the order was cancelled before a decision) or decided.
    """

    def __init__(self, rows: OpenRows) -> None:
        self._cases, self._lists = rows(risk_cases), rows(risk_lists)

    @folds(OrderScreened)
    def screened(self, event: OrderScreened, recorded: RecordedEvent) -> None:
        if event.decision == "pass":
            return
        self._cases.put(
            {
                "order_id": event.order_id,
                "status": "blocked" if event.decision == "block" else "open",
                "screening": event.decision,
                "reasons": list(event.reasons),
                "customer": event.customer,
                "ip": event.ip,
                "device": event.device,
                "amount": event.amount.amount,
                "currency": event.amount.currency,
                "screened_at": iso(recorded.at),
            }
        )

    @folds(CaseOpened)
    def opened(self, event: CaseOpened, recorded: RecordedEvent) -> None:
        row = self._cases.get(event.order_id) or {"order_id": event.order_id, "screened_at": iso(recorded.at)}
        amount = {"amount": event.amount.amount, "currency": event.amount.currency}
        self._cases.put({**row, **amount, "status": "open", "reasons": list(event.reasons)})

    @folds(CaseClosed)
    def closed(self, event: CaseClosed, recorded: RecordedEvent) -> None:
        self._cases.update(event.order_id, status="closed")

    @folds(CaseDecided)
    def decided(self, event: CaseDecided, recorded: RecordedEvent) -> None:
        self._cases.update(
            event.order_id,
            status="decided",
            decision=event.decision,
            note=event.note,
            decided_by=recorded.meta.actor,
            decided_at=iso(recorded.at),
        )

    @folds(ListEntrySet)
    def list_entry_set(self, event: ListEntrySet, recorded: RecordedEvent) -> None:
        for entry in event.spellings:
            self._lists.delete(entry)
        self._lists.put(
            {
                **event.model_dump(include={"entry", "list", "dimension", "value", "reason"}),
                "until": iso(event.until) if event.until else None,
                "set_at": iso(recorded.at),
                "set_by": recorded.meta.actor,
            }
        )

    @folds(ListEntryRemoved)
    def list_entry_removed(self, event: ListEntryRemoved, recorded: RecordedEvent) -> None:
        for entry in (event.entry, *event.spellings):
            self._lists.delete(entry)
