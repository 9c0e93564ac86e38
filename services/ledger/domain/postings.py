"""Builds and sums postings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from shared.contracts import Money
from shared.contracts.ledger import Posting


def transfer(debit: str, credit: str, amount: Money) -> tuple[Posting, Posting]:
    """The two sides of one movement."""
    return Posting(account=debit, amount=amount), Posting(account=credit, amount=-amount)


def opposite(postings: Iterable[Posting]) -> tuple[Posting, ...]:
    """The postings that undo these."""
    return tuple(Posting(account=posting.account, amount=-posting.amount) for posting in postings)


def totals(postings: Iterable[Posting]) -> Mapping[str, int]:
    """The sum of the postings in each currency; all are zero in a balanced entry."""
    sums: dict[str, int] = defaultdict(int)
    for posting in postings:
        sums[posting.amount.currency] += posting.amount.amount
    return dict(sums)


def changes(postings: Iterable[Posting]) -> Mapping[tuple[str, str], int]:
    """The net change, debit-positive, of each (account, currency)."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for posting in postings:
        sums[posting.account, posting.amount.currency] += posting.amount.amount
    return dict(sums)
