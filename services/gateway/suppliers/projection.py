"""Suppliers' statements that differ from what was known, and their reports about purchases that were never ordered
from them. Folded from the fulfillment log alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from services.gateway.resource_projection import OpenRows, ResourceProjection, folds, iso, metadata
from shared.contracts.fulfillment import (
    SupplierClaimWon,
    SupplierReportOpened,
    SupplierReportRefused,
    SupplierStatementRecorded,
    SupplierStatementSettled,
    report_id,
    statement_id,
)
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import Key, RowCache

# `cost` is what the supplier named, `bill` what was booked; both in minor units. `goods` counts the texts that came
# with the statement, if any.
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


class Statements(ResourceProjection):
    """One row for each statement. It is open, then a cost or a claim; a claim may be won. A statement that agrees with
    what was known needs no decision."""

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


# `cost` is what the supplier named, in minor units. `goods` counts the texts that came with the report, if any. In the
# row of a delivery's first report, `reports` counts all reports of that delivery.
reports = sa.Table(
    "supplier_reports",
    metadata,
    sa.Column("report_id", sa.Text, primary_key=True),
    sa.Column("delivery_id", sa.Text, nullable=False),
    sa.Column("order_id", sa.Text),
    sa.Column("supplier", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("supplier_ref", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("cost", sa.BigInteger),
    sa.Column("cost_currency", sa.String(3)),
    sa.Column("goods", sa.Integer),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("told_at", sa.Text, nullable=False),
    sa.Column("opened_at", sa.Text),
    sa.Column("opened_by", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("reports", sa.Integer),
    sa.Index("supplier_reports_by_status", "status", "told_at", "report_id"),
)

OPENED, TOLD = "opened", "told"


class Reports(ResourceProjection):
    """One row for each report. A report with texts is open until somebody has read them; one without needs no
    reader."""

    def __init__(self, rows: OpenRows) -> None:
        self._reports = rows(reports, keep=200)

    def reads(self, event: Any) -> Iterator[tuple[RowCache, Key]]:
        if isinstance(event, SupplierReportRefused):
            yield self._reports, (report_id(event.delivery_id, 1),)
        elif isinstance(event, SupplierReportOpened):
            yield self._reports, (report_id(event.delivery_id, event.report),)

    @folds(SupplierReportRefused)
    def report_refused(self, event: SupplierReportRefused, recorded: RecordedEvent) -> None:
        first = self._reports.get(report_id(event.delivery_id, 1))
        number = first["reports"] + 1 if first else 1
        if first:
            self._reports.put({**first, "reports": number})
        self._reports.put(
            {
                "report_id": report_id(event.delivery_id, number),
                "delivery_id": event.delivery_id,
                "order_id": event.order_id,
                "supplier": event.supplier,
                "outcome": event.outcome,
                "supplier_ref": event.supplier_ref,
                "reason": event.reason,
                "cost": event.cost.amount if event.cost else None,
                "cost_currency": event.cost.currency if event.cost else None,
                "goods": len(event.goods) or None,
                "status": OPEN if event.goods else TOLD,
                "told_at": iso(recorded.at),
                "reports": None if first else 1,
            }
        )

    @folds(SupplierReportOpened)
    def report_opened(self, event: SupplierReportOpened, recorded: RecordedEvent) -> None:
        self._reports.update(
            report_id(event.delivery_id, event.report),
            status=OPENED,
            opened_at=iso(recorded.at),
            opened_by=recorded.meta.actor,
            note=event.note,
        )
