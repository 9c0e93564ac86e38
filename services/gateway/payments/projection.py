"""Payments and their returns, from the ledger's log alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from services.gateway.resource_projection import OpenRows, ResourceProjection, folds, iso, metadata
from shared.contracts.ledger import (
    UNTOLD,
    CallbackRefused,
    PaymentClosed,
    PaymentClosing,
    PaymentNotClosed,
    PaymentOpened,
    PaymentOpeningFailed,
    PaymentReceived,
    PaymentRequested,
    PaymentReturned,
    PaymentUnmatched,
    ReturnedByHand,
    ReturnFailed,
    ReturnRequested,
    UnmatchedSettled,
)
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import Key, RowCache

UNMATCHED = "unmatched"
CLOSING, CLOSED, NOT_CLOSED = "closing", "closed", "not-closed"

payments = sa.Table(
    "payments",
    metadata,
    sa.Column("payment_id", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("order_id", sa.Text),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("channel_ref", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("returned", sa.BigInteger, nullable=False),
    sa.Column("pay_url", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("requested_at", sa.Text, nullable=False),
    sa.Column("received_at", sa.Text),
    sa.Column("returns", sa.JSON(none_as_null=True)),
    sa.Column("failed_returns", sa.Integer),
    sa.Column("closing", sa.Text),
    sa.Column("closing_since", sa.Text),
    sa.Column("open_items", sa.JSON(none_as_null=True)),
    sa.Index("payments_by_failed_returns", "failed_returns", "requested_at", "payment_id"),
    sa.Index("payments_by_closing", "closing", "requested_at", "payment_id"),
)


class Payments(ResourceProjection):
    """One row for each payment, with its returns by id.

    The status is requested, open or opening-failed; `unmatched` when something else was paid; then received. Returns
    change it to return-failed while one has failed, returning, partly-returned or returned. A payment that is no longer
    needed is closing, closed or not-closed, until money comes all the same. `closing` holds the same whatever the
    status.

    `reason` says why something failed. If nothing failed, it says why the latest open item waits for a person.
    `open_items` has the reasons of all open items, by item.
    """

    def __init__(self, rows: OpenRows) -> None:
        self._payments = rows(payments)

    def reads(self, event: Any) -> Iterator[tuple[RowCache, Key]]:
        if not isinstance(event, PaymentRequested):
            yield self._payments, (event.payment_id,)

    @folds(PaymentRequested)
    def requested(self, event: PaymentRequested, recorded: RecordedEvent) -> None:
        self._payments.put(
            {
                "payment_id": event.payment_id,
                "account": event.account,
                "order_id": event.order_id,
                "channel": event.channel,
                "status": "requested",
                "amount": event.amount.amount,
                "currency": event.amount.currency,
                "returned": 0,
                "failed_returns": 0,
                "requested_at": iso(recorded.at),
            }
        )

    def _change(self, payment_id: str, **changes: object) -> None:
        self._payments.update(payment_id, **changes)

    def _row(self, payment_id: str) -> dict[str, Any]:
        return self._payments.get(payment_id) or {}

    @folds(PaymentOpened)
    def opened(self, event: PaymentOpened, recorded: RecordedEvent) -> None:
        row = self._row(event.payment_id)
        if row["closing"]:
            self._change(event.payment_id, channel_ref=event.channel_ref)
            return
        changes: dict[str, object] = {
            "channel_ref": event.channel_ref,
            "pay_url": event.pay_url,
            "reason": _waiting(row),
        }
        if row["status"] in ("requested", "opening-failed"):
            changes["status"] = "open"
        self._change(event.payment_id, **changes)

    @folds(PaymentOpeningFailed)
    def opening_failed(self, event: PaymentOpeningFailed, recorded: RecordedEvent) -> None:
        self._change(event.payment_id, status="opening-failed", reason=event.reason)

    @folds(PaymentClosing)
    def closing(self, event: PaymentClosing, recorded: RecordedEvent) -> None:
        self._closing(event, CLOSING, recorded)

    @folds(PaymentClosed)
    def closed(self, event: PaymentClosed, recorded: RecordedEvent) -> None:
        self._closing(event, CLOSED, recorded)

    @folds(PaymentNotClosed)
    def not_closed(self, event: PaymentNotClosed, recorded: RecordedEvent) -> None:
        """A payment that was paid before it was closed has events of its own."""
        if event.paid is None:
            self._closing(event, NOT_CLOSED, recorded, event.reason)
        else:
            self._closing(event, CLOSED, recorded)

    def _closing(
        self,
        event: PaymentClosing | PaymentClosed | PaymentNotClosed,
        closing: str,
        recorded: RecordedEvent,
        reason: str | None = None,
    ) -> None:
        """Remove the link to pay. The status of money that has come goes before that of closing."""
        row = self._row(event.payment_id)
        changes: dict[str, object] = {"closing": closing, "closing_since": iso(recorded.at), "pay_url": None}
        if row["received_at"] is None and row["status"] != UNMATCHED:
            changes |= {"status": closing, "reason": reason or _waiting(row)}
        self._change(event.payment_id, **changes)

    @folds(PaymentReceived)
    def received(self, event: PaymentReceived, recorded: RecordedEvent) -> None:
        row = self._row(event.payment_id)
        self._change(
            event.payment_id,
            status="received",
            channel=event.channel,
            channel_ref=event.channel_ref,
            amount=event.amount.amount,
            currency=event.amount.currency,
            reason=_waiting(row),
            received_at=iso(recorded.at),
        )
        if row["closing"]:
            self._change(event.payment_id, closing=None)

    @folds(CallbackRefused)
    def callback_refused(self, event: CallbackRefused, recorded: RecordedEvent) -> None:
        row = self._row(event.payment_id)
        if event.reason == "failed" and row and row["status"] != UNMATCHED and not row["closing"]:
            self._change(event.payment_id, reason=_waiting(row) or event.reason)

    @folds(PaymentUnmatched)
    def unmatched(self, event: PaymentUnmatched, recorded: RecordedEvent) -> None:
        """Show the item on the payment that the channel named, if that payment exists."""
        if row := self._row(event.payment_id):
            stays = row["received_at"] is not None or event.reason in UNTOLD
            items = {**(row["open_items"] or {}), event.item: event.reason}
            status = row["status"] if stays else UNMATCHED
            self._change(event.payment_id, status=status, reason=event.reason, open_items=items)

    @folds(UnmatchedSettled)
    def settled(self, event: UnmatchedSettled, recorded: RecordedEvent) -> None:
        row = self._row(event.payment_id)
        if not row:
            return
        returns = dict(row["returns"] or {})
        if returns.get(part := f"unmatched:{event.item}", {}).get("status") == "failed":
            returns[part] = {**returns[part], "status": "settled"}
        items = {item: reason for item, reason in (row["open_items"] or {}).items() if item != event.item}
        self._change(event.payment_id, open_items=items or None)
        if row["received_at"] is not None:
            self._show(self._row(event.payment_id), returns)
        else:
            reason = next(reversed(items.values()), event.how)
            self._change(event.payment_id, returns=returns, failed_returns=_failed(returns), reason=reason)

    @folds(ReturnRequested)
    def return_requested(self, event: ReturnRequested, recorded: RecordedEvent) -> None:
        self._returns(event, "requested", recorded)

    @folds(PaymentReturned)
    def returned(self, event: PaymentReturned, recorded: RecordedEvent) -> None:
        self._returns(event, "returned", recorded)

    @folds(ReturnedByHand)
    def returned_by_hand(self, event: ReturnedByHand, recorded: RecordedEvent) -> None:
        self._returns(event, "by-hand", recorded, event.note)

    @folds(ReturnFailed)
    def return_failed(self, event: ReturnFailed, recorded: RecordedEvent) -> None:
        self._returns(event, "failed", recorded, event.reason)

    def _returns(
        self,
        event: ReturnRequested | PaymentReturned | ReturnedByHand | ReturnFailed,
        status: str,
        recorded: RecordedEvent,
        reason: str | None = None,
    ) -> None:
        row = self._row(event.payment_id)
        if not row:
            return
        returns = dict(row["returns"] or {})
        paid = event.paid.model_dump() if isinstance(event, ReturnFailed) and event.paid else None
        before = returns.get(event.return_id, {})
        paid = paid or before.get("paid")
        added = before.get("added")
        if isinstance(event, ReturnRequested):
            added = event.difference.amount if event.difference else None
        returns[event.return_id] = {
            **({"paid": paid} if paid else {}),
            **({"added": added} if added else {}),
            "amount": event.amount.amount,
            "currency": event.amount.currency,
            "own": event.account is None,
            "status": status,
            "reason": reason,
            "at": iso(recorded.at),
        }
        if row["received_at"] is not None:
            self._show(row, returns)
        else:
            self._change(event.payment_id, returns=returns, failed_returns=_failed(returns))

    def _show(self, row: dict[str, Any], returns: dict[str, dict[str, Any]]) -> None:
        """Set the status from the returns: a failed return is not hidden by a later one that succeeded."""
        own = [part for part in returns.values() if part["own"]]
        back = sum(_back(part) for part in own)
        failed = [part for part in returns.values() if part["status"] == "failed"]
        if failed:
            status = "return-failed"
        elif any(part["status"] == "requested" for part in returns.values()):
            status = "returning"
        elif back:
            added = sum(part.get("added", 0) for part in own)  # the shop had added it, and takes it back
            status = "returned" if back + added >= row["amount"] else "partly-returned"
        else:
            status = "received"
        reason = failed[-1]["reason"] if failed else _waiting(row)
        self._change(
            row["payment_id"],
            returns=returns,
            failed_returns=len(failed),
            returned=back,
            status=status,
            reason=reason,
        )


def _waiting(row: dict[str, Any]) -> str | None:
    """The reason of the latest open item of a payment, None without open items."""
    return next(reversed((row["open_items"] or {}).values()), None)


def _back(part: dict[str, Any]) -> int:
    """The amount that went back with a return. The channel may have paid a part of a failed one."""
    if part["status"] in ("returned", "by-hand"):
        return part["amount"]
    paid = part.get("paid")
    return min(paid["amount"], part["amount"]) if paid and paid["currency"] == part["currency"] else 0


def _failed(returns: dict[str, dict[str, Any]]) -> int:
    return sum(part["status"] == "failed" for part in returns.values())
