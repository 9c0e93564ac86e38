"""Whose logs each service reads, by its name. Generated from the services' declarations by `make generate`."""

from __future__ import annotations

READS = {
    "order": (
        "fulfillment",
        "inventory",
        "ledger",
        "risk",
    ),
    "inventory": (
        "fulfillment",
        "order",
    ),
    "fulfillment": (
        "inventory",
        "order",
    ),
    "ledger": (
        "fulfillment",
        "order",
    ),
    "risk": ("order",),
    "notification": (
        "fulfillment",
        "gateway",
        "inventory",
        "ledger",
        "order",
        "risk",
    ),
    "gateway": (
        "fulfillment",
        "inventory",
        "ledger",
        "notification",
        "order",
        "risk",
    ),
}
