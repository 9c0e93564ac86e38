"""Payments, accounts and entries, from the ledger's log alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from services.gateway.tables.base import OpenRows, View, folds, iso, metadata
from shared.contracts import Money
from shared.contracts.ledger import (
    CallbackRefused,
    EntryPosted,
    EntryReversed,
    FundsCaptured,
    FundsHeld,
    FundsRefunded,
    HoldVoided,
    PaymentOpened,
    PaymentOpeningFailed,
    PaymentReceived,
    PaymentRequested,
    PaymentReturned,
    ReturnFailed,
    ReturnRequested,
    SupplierCostPosted,
)
from shared.eventlog.recorded import Recorded
from shared.eventlog.tables import Key, Rows

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
)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("currency", sa.Text, primary_key=True),
    sa.Column("posted", sa.BigInteger, nullable=False),
    sa.Column("held", sa.BigInteger, nullable=False),
)

entries = sa.Table(
    "entries",
    metadata,
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("concerns", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Index("entries_by_account", "account", "position", "index"),
)

Posted = (
    PaymentReceived | PaymentReturned | FundsCaptured | FundsRefunded | SupplierCostPosted | EntryPosted | EntryReversed
)


class Payments(View):
    """One row a payment: requested, open or opening-failed, received, returning, returned or return-failed."""

    def __init__(self, rows: OpenRows) -> None:
        self._payments = rows(payments)

    def reads(self, event: Any) -> Iterator[tuple[Rows, Key]]:
        if not isinstance(event, PaymentRequested):
            yield self._payments, (event.payment_id,)

    @folds(PaymentRequested)
    def requested(self, event: PaymentRequested, recorded: Recorded) -> None:
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
                "requested_at": iso(recorded.at),
            }
        )

    def _change(self, payment_id: str, **changes: object) -> None:
        self._payments.update(payment_id, **changes)

    def _row(self, payment_id: str) -> dict[str, Any]:
        return self._payments.get(payment_id) or {}

    @folds(PaymentOpened)
    def opened(self, event: PaymentOpened, recorded: Recorded) -> None:
        changes: dict[str, object] = {"channel_ref": event.channel_ref, "pay_url": event.pay_url, "reason": None}
        if self._row(event.payment_id)["status"] in ("requested", "opening-failed"):
            changes["status"] = "open"
        self._change(event.payment_id, **changes)

    @folds(PaymentOpeningFailed)
    def opening_failed(self, event: PaymentOpeningFailed, recorded: Recorded) -> None:
        self._change(event.payment_id, status="opening-failed", reason=event.reason)

    @folds(PaymentReceived)
    def received(self, event: PaymentReceived, recorded: Recorded) -> None:
        self._change(
            event.payment_id,
            status="received",
            channel_ref=event.channel_ref,
            reason=None,
            received_at=iso(recorded.at),
        )

    @folds(CallbackRefused)
    def callback_refused(self, event: CallbackRefused, recorded: Recorded) -> None:
        if event.reason == "failed" and self._row(event.payment_id):
            self._change(event.payment_id, reason=event.reason)

    @folds(ReturnRequested)
    def return_requested(self, event: ReturnRequested, recorded: Recorded) -> None:
        self._change(event.payment_id, status="returning")

    @folds(PaymentReturned)
    def returned(self, event: PaymentReturned, recorded: Recorded) -> None:
        returned = self._row(event.payment_id)["returned"] + event.amount.amount
        self._change(event.payment_id, status="returned", returned=returned, reason=None)

    @folds(ReturnFailed)
    def return_failed(self, event: ReturnFailed, recorded: Recorded) -> None:
        self._change(event.payment_id, status="return-failed", reason=event.reason)


class Accounts(View):
    """Each account's sum of postings (debits positive) and what is held of it, and every posting behind them."""

    def __init__(self, rows: OpenRows) -> None:
        self._accounts, self._entries = rows(accounts), rows(entries, keep=0)

    def reads(self, event: Any) -> Iterator[tuple[Rows, Key]]:
        if isinstance(event, FundsHeld | FundsCaptured | HoldVoided):
            yield self._accounts, (event.account, event.amount.currency)
        if not isinstance(event, FundsHeld | HoldVoided):
            for posting in event.postings:
                yield self._accounts, (posting.account, posting.amount.currency)

    def _add(self, account: str, currency: str, *, posted: int = 0, held: int = 0) -> None:
        row = self._accounts.get(account, currency) or {"posted": 0, "held": 0}
        self._accounts.put(
            {
                "account": account,
                "currency": currency,
                "posted": row["posted"] + posted,
                "held": row["held"] + held,
            }
        )

    def _hold(self, account: str, amount: Money) -> None:
        self._add(account, amount.currency, held=amount.amount)

    @folds(
        PaymentReceived, PaymentReturned, FundsCaptured, FundsRefunded, SupplierCostPosted, EntryPosted, EntryReversed
    )
    def posted(self, event: Posted, recorded: Recorded) -> None:
        for index, posting in enumerate(event.postings):
            amount, currency = posting.amount.amount, posting.amount.currency
            self._add(posting.account, currency, posted=amount)
            self._entries.put(
                {
                    "position": recorded.position,
                    "index": index,
                    "account": posting.account,
                    "amount": amount,
                    "currency": currency,
                    "event": recorded.name,
                    "concerns": event.partition_key(),
                    "at": iso(recorded.at),
                }
            )
        if isinstance(event, FundsCaptured):
            self._hold(event.account, -(event.amount + event.released))

    @folds(FundsHeld)
    def held(self, event: FundsHeld, recorded: Recorded) -> None:
        self._hold(event.account, event.amount)

    @folds(HoldVoided)
    def voided(self, event: HoldVoided, recorded: Recorded) -> None:
        self._hold(event.account, -event.amount)
