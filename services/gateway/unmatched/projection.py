"""Received money that matches no payment, from the ledger's log alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from services.gateway.resource_projection import OpenRows, ResourceProjection, folds, iso, metadata
from shared.contracts.ledger import PaymentUnmatched, ReturnFailed, ReturnRequested, UnmatchedSettled
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import Key, RowCache

OPEN, RETURNING, SETTLED = "open", "returning", "settled"
_RETURN = "unmatched:"

unmatched = sa.Table(
    "unmatched_payments",
    metadata,
    sa.Column("item", sa.Text, primary_key=True),
    sa.Column("payment_id", sa.Text, nullable=False),
    sa.Column("order_id", sa.Text),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("channel_ref", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("expected", sa.BigInteger),
    sa.Column("expected_currency", sa.Text),
    sa.Column("booked", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("how", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("opened_at", sa.Text, nullable=False),
    sa.Column("settled_at", sa.Text),
    sa.Index("unmatched_payments_by_status", "status", "opened_at", "item"),
    sa.Index("unmatched_payments_by_payment", "payment_id", "opened_at"),
)


class Unmatched(ResourceProjection):
    """One row for each statement of a channel about money that matches no payment. It is open, returning or settled."""

    def __init__(self, rows: OpenRows) -> None:
        self._unmatched = rows(unmatched, keep=1_000)

    def reads(self, event: Any) -> Iterator[tuple[RowCache, Key]]:
        if isinstance(event, UnmatchedSettled):
            yield self._unmatched, (event.item,)

    @folds(PaymentUnmatched)
    def opened(self, event: PaymentUnmatched, recorded: RecordedEvent) -> None:
        expected = event.expected
        self._unmatched.put(
            {
                "item": event.item,
                "payment_id": event.payment_id,
                "order_id": event.order_id,
                "channel": event.channel,
                "channel_ref": event.channel_ref,
                "amount": event.amount.amount,
                "currency": event.amount.currency,
                "expected": expected.amount if expected else None,
                "expected_currency": expected.currency if expected else None,
                "booked": bool(event.postings),
                "reason": event.reason,
                "status": OPEN,
                "opened_at": iso(recorded.at),
            }
        )

    @folds(ReturnRequested)
    def returning(self, event: ReturnRequested, recorded: RecordedEvent) -> None:
        self._change(event.return_id, RETURNING)

    @folds(ReturnFailed)
    def return_failed(self, event: ReturnFailed, recorded: RecordedEvent) -> None:
        self._change(event.return_id, OPEN)

    @folds(UnmatchedSettled)
    def settled(self, event: UnmatchedSettled, recorded: RecordedEvent) -> None:
        at = iso(recorded.at)
        self._unmatched.update(event.item, status=SETTLED, how=event.how, note=event.note, settled_at=at)

    def _change(self, return_id: str, status: str) -> None:
        if return_id.startswith(_RETURN):
            self._unmatched.update(return_id.removeprefix(_RETURN), status=status)
