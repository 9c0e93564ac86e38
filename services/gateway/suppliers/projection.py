"""What suppliers said that did not fit, from the fulfillment log alone."""

from __future__ import annotations

import sqlalchemy as sa

from services.gateway.view import OpenRows, View, folds, iso, metadata
from shared.contracts.fulfillment import (
    SupplierClaimWon,
    SupplierStatementRecorded,
    SupplierStatementSettled,
    statement_id,
)
from shared.eventstore.recorded import RecordedEvent

# `cost` is what the supplier named, `bill` what was booked of it; both in minor units. `goods` counts the texts that
# came with it, if any.
statements = sa.Table(
    "supplier_statements",
    metadata,
    sa.Column("statement_id", sa.Text, primary_key=True),
    sa.Column("delivery_id", sa.Text, nullable=False),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("line", sa.Integer, nullable=False),
    sa.Column("sku", sa.Text, nullable=False),
    sa.Column("supplier", sa.Text, nullable=False),
    sa.Column("finding", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("supplier_ref", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("cost", sa.BigInteger),
    sa.Column("cost_currency", sa.String(3)),
    sa.Column("bill", sa.BigInteger),
    sa.Column("bill_currency", sa.String(3)),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("told_at", sa.Text, nullable=False),
    sa.Column("settled_at", sa.Text),
    sa.Column("settled_by", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("goods", sa.Integer),
    sa.Index("supplier_statements_by_status", "status", "told_at", "statement_id"),
)

OPEN, AGREES, WON = "open", "agrees", "won"


class Statements(View):
    """One row a statement: open, then a cost or a claim, which may be won; one that agrees with what was known needs
    nobody."""

    def __init__(self, rows: OpenRows) -> None:
        self._statements = rows(statements, keep=200)

    @folds(SupplierStatementRecorded)
    def recorded(self, event: SupplierStatementRecorded, recorded: RecordedEvent) -> None:
        self._statements.put(
            {
                "statement_id": statement_id(event.delivery_id, event.statement),
                "delivery_id": event.delivery_id,
                "order_id": event.order_id,
                "line": event.line,
                "sku": event.sku,
                "supplier": event.supplier,
                "finding": event.finding,
                "outcome": event.outcome,
                "supplier_ref": event.supplier_ref,
                "reason": event.reason,
                "cost": event.cost.amount if event.cost else None,
                "cost_currency": event.cost.currency if event.cost else None,
                "bill": event.bill.amount if event.bill else None,
                "bill_currency": event.bill.currency if event.bill else None,
                "goods": len(event.goods) or None,
                "status": AGREES if event.finding == "agrees" else OPEN,
                "told_at": iso(recorded.at),
            }
        )

    @folds(SupplierStatementSettled)
    def settled(self, event: SupplierStatementSettled, recorded: RecordedEvent) -> None:
        booked = {"bill": event.bill.amount, "bill_currency": event.bill.currency} if event.bill else {}
        self._statements.update(
            statement_id(event.delivery_id, event.statement),
            status=event.decision,
            settled_at=iso(recorded.at),
            settled_by=recorded.meta.actor,
            note=event.note,
            **booked,
        )

    @folds(SupplierClaimWon)
    def won(self, event: SupplierClaimWon, recorded: RecordedEvent) -> None:
        self._statements.update(
            statement_id(event.delivery_id, event.statement),
            status=WON,
            settled_at=iso(recorded.at),
            settled_by=recorded.meta.actor,
            note=event.note,
        )
