"""Accounts and entries, from the ledger's log alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import sqlalchemy as sa

from services.gateway.resource_projection import OpenRows, ResourceProjection, folds, iso, metadata
from shared.contracts import Money
from shared.contracts.ledger import Entry, FundsCaptured, FundsHeld, HoldVoided
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import Key, RowCache

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


class Accounts(ResourceProjection):
    """The sum of postings (debits positive) and the held amount of each account, and every posting."""

    def __init__(self, rows: OpenRows) -> None:
        self._accounts, self._entries = rows(accounts), rows(entries, keep=0)

    def reads(self, event: Any) -> Iterator[tuple[RowCache, Key]]:
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

    @folds(*get_args(Entry))
    def posted(self, event: Entry, recorded: RecordedEvent) -> None:
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
    def held(self, event: FundsHeld, recorded: RecordedEvent) -> None:
        self._hold(event.account, event.amount)

    @folds(HoldVoided)
    def voided(self, event: HoldVoided, recorded: RecordedEvent) -> None:
        self._hold(event.account, -event.amount)
