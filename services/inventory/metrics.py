"""Prometheus metrics of stock."""

from __future__ import annotations

from shared.contracts.inventory import KeysSupplied
from shared.telemetry.event_counters import Counters
from shared.telemetry.metric import Section

HAPPENED = Section("Business: events")
KEYS_SUPPLIED = HAPPENED.metric(
    "keys_supplied_total", "counter", "keys", "state", "Keys of the stock whose text a supplier sent: sold, unsold."
)

COUNTERS = Counters(
    by_event={
        KeysSupplied: lambda e: (
            (KEYS_SUPPLIED, ("sold",), len(e.sold)),
            (KEYS_SUPPLIED, ("unsold",), len(e.numbers) - len(e.sold)),
        ),
    },
    zeros={KEYS_SUPPLIED: [("sold",), ("unsold",)]},
)
