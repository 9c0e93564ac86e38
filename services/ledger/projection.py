"""Balances, entries and payments, for decisions, operators and account statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa

from services.ledger.domain.chart import Balance, type_of
from services.ledger.domain.payment.state import UNMATCHED
from shared.contracts import Command, Event, Money
from shared.contracts.base import MAX_MINOR_UNITS
from shared.contracts.ledger import (
    EntryPosted,
    EntryReversed,
    FundsCaptured,
    FundsHeld,
    FundsRefunded,
    HoldFunds,
    HoldVoided,
    PaymentOpened,
    PaymentOpeningFailed,
    PaymentReceived,
    PaymentRequested,
    PaymentReturned,
    PaymentUnmatched,
    Posting,
    ReturnedByHand,
    ReturnFailed,
    ReturnRequested,
    SupplierBillPosted,
    SupplierClaimCredited,
    SupplierClaimMoved,
    SupplierCostPosted,
    UnmatchedSettled,
)
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import (
    Key,
    Projection,
    Row,
    RowCache,
)

metadata = sa.MetaData()

# `posted` is debit-positive; `held` is set aside, never negative. Amounts are minor units everywhere.
accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("currency", sa.String(3), primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("posted", sa.BigInteger, nullable=False),
    sa.Column("held", sa.BigInteger, nullable=False),
)

# One row for each posting. `leg` is its number, from 0, in the event at `position`. `reference` is that event's key.
entries = sa.Table(
    "entries",
    metadata,
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("leg", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Index("entries_of_account", "account", "position"),
)

payments = sa.Table(
    "payments",
    metadata,
    sa.Column("payment_id", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("order_id", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
)

# The payment of each reference of a channel. It reveals a callback that was moved to another payment.
references = sa.Table(
    "channel_references",
    metadata,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("channel_ref", sa.Text, primary_key=True),
    sa.Column("payment_id", sa.Text, nullable=False),
)

returns = sa.Table(
    "returns",
    metadata,
    sa.Column("payment_id", sa.Text, primary_key=True),
    sa.Column("return_id", sa.Text, primary_key=True),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
)

# Received money that matches no payment. It is `open` until a person or the channel has settled it.
unmatched = sa.Table(
    "unmatched",
    metadata,
    sa.Column("item", sa.Text, primary_key=True),
    sa.Column("payment_id", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
)


class LedgerProjection(Projection):
    metadata = metadata
    version = 2

    def __init__(self, connection: Callable[[], sa.Connection]) -> None:
        super().__init__(connection)
        self.accounts = self.rows(accounts)
        self.entries = self.rows(entries, keep=0)
        self.payments = self.rows(payments)
        self.references = self.rows(references)
        self.returns = self.rows(returns, keep=1_000)
        self.unmatched = self.rows(unmatched, keep=1_000)

    def reads(self, asked: Event | Command, state: Any = None) -> Iterator[tuple[RowCache, Key]]:
        if isinstance(asked, HoldFunds):
            yield self.accounts, (asked.account, asked.amount.currency)
        elif isinstance(asked, PaymentReceived | PaymentUnmatched):
            yield self.references, (asked.channel, asked.channel_ref)

    def balance(self, account: str, currency: str) -> Balance:
        """The account's balance in this currency; zero for an account that was never used."""
        row = self.accounts.get(account, currency)
        return Balance(row["posted"], row["held"]) if row else Balance()

    def available(self, account: str, currency: str) -> Money:
        """What the account can still pay out in this currency, limited to what an amount can be."""
        left = self.balance(account, currency).available
        return Money(amount=max(-MAX_MINOR_UNITS, min(left, MAX_MINOR_UNITS)), currency=currency)

    def apply(self, event: Event, recorded: RecordedEvent) -> None:
        match event:
            case FundsHeld():
                self._hold(event.account, event.amount)
            case HoldVoided():
                self._hold(event.account, -event.amount)
            case FundsCaptured():
                self._hold(event.account, -(event.amount + event.released))
                self._post(event.postings, recorded, event.order_id)
            case (
                FundsRefunded()
                | SupplierCostPosted()
                | SupplierBillPosted()
                | SupplierClaimMoved()
                | SupplierClaimCredited()
            ):
                self._post(event.postings, recorded, event.order_id)
            case EntryPosted() | EntryReversed():
                self._post(event.postings, recorded, event.entry_id)
            case _:
                self._apply_to_payment(event, recorded)

    def _apply_to_payment(self, event: Event, recorded: RecordedEvent) -> None:
        match event:
            case PaymentRequested():
                money = {"amount": event.amount.amount, "currency": event.amount.currency}
                self.payments.put(event.model_dump() | money | {"status": "requested"})
            case PaymentOpened():
                self.payments.update(event.payment_id, status="opened")
                self._refer(event.payment_id, self._payment(event.payment_id)["channel"], event.channel_ref)
            case PaymentOpeningFailed():
                self.payments.update(event.payment_id, status="failed")
            case PaymentReceived():
                self.payments.update(event.payment_id, status="received")
                self._refer(event.payment_id, event.channel, event.channel_ref)
                self._post(event.postings, recorded, event.payment_id)
            case PaymentUnmatched():
                self._wait(event)
                self._post(event.postings, recorded, event.payment_id)
            case UnmatchedSettled():
                self.unmatched.update(event.item, status="settled")
                self._settle_return(event)
                self._post(event.postings, recorded, event.payment_id)
            case ReturnRequested():
                self._start_return(event)
            case PaymentReturned():
                self._end_return(event, "returned")
                self._post(event.postings, recorded, event.payment_id)
            case ReturnedByHand():
                self._end_return(event, "by-hand", event.note)
                self._post(event.postings, recorded, event.payment_id)
            case ReturnFailed():
                self._end_return(event, "failed", event.reason)
                self._post(event.postings, recorded, event.payment_id)
            case _:
                pass

    def _refer(self, payment_id: str, channel: str, channel_ref: str) -> None:
        """A reference stays with the first payment that had it, even if the channel gives it to another payment as
        well."""
        if self.references.get(channel, channel_ref) is not None:
            return
        self.references.put({"channel": channel, "channel_ref": channel_ref, "payment_id": payment_id})

    def _wait(self, event: PaymentUnmatched) -> None:
        if event.postings and event.channel_ref:
            self._refer(event.payment_id, event.channel, event.channel_ref)
        self.unmatched.put(
            {
                "item": event.item,
                "payment_id": event.payment_id,
                "channel": event.channel,
                "currency": event.amount.currency,
                "amount": event.amount.amount,
                "status": "open",
            }
        )

    def _settle_return(self, event: UnmatchedSettled) -> None:
        """A failed return of this money is settled with it."""
        return_id = f"{UNMATCHED}{event.item}"
        row = self.returns.get(event.payment_id, return_id)
        if row is not None and row["status"] == "failed":
            self.returns.update(event.payment_id, return_id, status="settled")

    def _start_return(self, event: ReturnRequested) -> None:
        """Hold money that is on its way back, so that nothing else spends it."""
        self._hold(event.account or self._payment(event.payment_id)["account"], event.amount)
        self._put_return(event.payment_id, event.return_id, event.amount, "requested")

    def _end_return(
        self, event: PaymentReturned | ReturnedByHand | ReturnFailed, status: str, reason: str = ""
    ) -> None:
        row = self.returns.get(event.payment_id, event.return_id)
        if row is not None and row["status"] == "requested":
            self._hold(event.account or self._payment(event.payment_id)["account"], -event.amount)
        self._put_return(event.payment_id, event.return_id, event.amount, status, reason)

    def _put_return(self, payment_id: str, return_id: str, amount: Money, status: str, reason: str = "") -> None:
        self.returns.put(
            {
                "payment_id": payment_id,
                "return_id": return_id,
                "currency": amount.currency,
                "amount": amount.amount,
                "status": status,
                "reason": reason,
            }
        )

    def _payment(self, payment_id: str) -> Row:
        row = self.payments.get(payment_id)
        if row is None:
            raise KeyError(f"no payment {payment_id}")
        return row

    def _hold(self, account: str, amount: Money) -> None:
        self._change(account, amount.currency, held=amount.amount)

    def _post(self, postings: tuple[Posting, ...], recorded: RecordedEvent, reference: str) -> None:
        for leg, posting in enumerate(postings):
            money = posting.amount
            self._change(posting.account, money.currency, posted=money.amount)
            self.entries.put(
                {
                    "position": recorded.position,
                    "leg": leg,
                    "account": posting.account,
                    "currency": money.currency,
                    "amount": money.amount,
                    "at": recorded.at.isoformat(),
                    "event": recorded.name,
                    "reference": reference,
                }
            )

    def _change(self, account: str, currency: str, posted: int = 0, held: int = 0) -> None:
        before = self.balance(account, currency)
        self.accounts.put(
            {
                "account": account,
                "currency": currency,
                "type": type_of(account),
                "posted": before.posted + posted,
                "held": before.held + held,
            }
        )
