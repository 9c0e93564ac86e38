"""Prometheus metrics of money."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa

from services.ledger.projection import accounts
from shared.contracts import Money
from shared.contracts.ledger import (
    FundsCaptured,
    FundsHeld,
    FundsRefunded,
    HoldVoided,
    PaymentReceived,
    PaymentReturned,
)
from shared.runtime.settings import Settings
from shared.telemetry.event_counters import Counters
from shared.telemetry.metric import Sample, Section

HAPPENED = Section("Business: events")
MONEY = HAPPENED.metric(
    "money_minor_units_total",
    "counter",
    "minor units",
    "flow currency",
    "Money that moved: received from a channel, held, captured, released, refunded, returned to a channel.",
)

STANDING = Section("Business: current state")
HELD = STANDING.metric("held_minor_units", "gauge", "minor units", "currency", "Money held, in all accounts.")
LEDGER_IMBALANCE = STANDING.metric(
    "ledger_imbalance_minor_units",
    "gauge",
    "minor units",
    "",
    "How far the sum of all accounts is from zero, over all currencies. Anything but 0 is a defect.",
)

FLOWS = ("received", "held", "captured", "released", "refunded", "returned")
CURRENCY = Money.model_fields["currency"].default


def _money(flow: str, money: Money) -> Sample:
    return MONEY, (flow, money.currency), money.amount


COUNTERS = Counters(
    by_event={
        PaymentReceived: lambda e: (_money("received", e.amount),),
        PaymentReturned: lambda e: (_money("returned", e.amount),),
        FundsHeld: lambda e: (_money("held", e.amount),),
        HoldVoided: lambda e: (_money("released", e.amount),),
        FundsCaptured: lambda e: (_money("captured", e.amount), _money("released", e.released)),
        FundsRefunded: lambda e: (_money("refunded", e.amount),),
    },
    zeros={MONEY: [(flow, CURRENCY) for flow in FLOWS]},
)


# One pass over all accounts, because only the whole sum must be zero. The host limits how often it runs.
_SUMS = sa.select(accounts.c.currency, sa.func.sum(accounts.c.posted), sa.func.sum(accounts.c.held)).group_by(
    accounts.c.currency
)


def gauges(connection: sa.Connection, now: datetime, settings: Settings) -> Iterator[Sample]:
    """Whether the books balance, and what is held."""
    rows = [(currency, int(posted), int(held)) for currency, posted, held in connection.execute(_SUMS)]
    yield LEDGER_IMBALANCE, (), sum(abs(posted) for _, posted, _ in rows)
    for currency, _, held in rows:
        yield HELD, (currency,), held
