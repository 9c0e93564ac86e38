"""What the ledger's tables tell Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa

from services.ledger.tables import accounts
from shared.runtime.settings import Settings
from shared.telemetry import metrics
from shared.telemetry.metric import Sample

# One pass over all accounts: a sum that left some out would prove nothing. The host sees to it that it is not often.
_SUMS = sa.select(accounts.c.currency, sa.func.sum(accounts.c.posted), sa.func.sum(accounts.c.held)).group_by(
    accounts.c.currency
)


def figures(connection: sa.Connection, now: datetime, settings: Settings) -> Iterator[Sample]:
    """Whether the books balance, and what is held."""
    rows = [(currency, int(posted), int(held)) for currency, posted, held in connection.execute(_SUMS)]
    yield metrics.LEDGER_IMBALANCE, (), sum(abs(posted) for _, posted, _ in rows)
    for currency, _, held in rows:
        yield metrics.HELD, (currency,), held
