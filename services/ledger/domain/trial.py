"""The trial balance: all accounts together must sum to zero."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.ledger.domain.chart import type_of


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """`totals[currency][account type]` in minor units, debit-positive; `balanced` when every currency sums to zero."""

    totals: Mapping[str, Mapping[str, int]]
    balanced: bool


def trial_balance(rows: Iterable[Mapping[str, object]]) -> TrialBalance:
    """Sums rows with `account`, `currency` and `posted`, as the accounts table has them."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        sums[str(row["currency"])][type_of(str(row["account"]))] += int(str(row["posted"]))
    totals = {currency: dict(sorted(kinds.items())) for currency, kinds in sorted(sums.items())}
    return TrialBalance(totals, all(sum(kinds.values()) == 0 for kinds in totals.values()))
