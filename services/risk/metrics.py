"""Prometheus metrics of screenings."""

from __future__ import annotations

from typing import get_args

from shared.contracts.risk import CaseDecided, Decision, OrderScreened
from shared.telemetry.event_counters import Counters
from shared.telemetry.metric import Section

HAPPENED = Section("Business: events")
RISK_DECISIONS = HAPPENED.metric(
    "risk_decisions_total", "counter", "orders", "decision", "Orders screened: pass, review, block."
)
RISK_CASES_DECIDED = HAPPENED.metric(
    "risk_cases_decided_total", "counter", "orders", "decision", "Reviews that a person decided: pass, block."
)

COUNTERS = Counters(
    by_event={
        OrderScreened: lambda e: ((RISK_DECISIONS, (e.decision,), 1),),
        CaseDecided: lambda e: ((RISK_CASES_DECIDED, (e.decision,), 1),),
    },
    zeros={
        RISK_DECISIONS: [(decision,) for decision in get_args(Decision)],
        RISK_CASES_DECIDED: [("pass",), ("block",)],
    },
)
