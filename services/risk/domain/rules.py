"""The rules an order is screened by: how often, how much, how many people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from shared.contracts import Money
from shared.contracts.risk import Dimension

Measure = Literal["count", "amount", "customers"]
Verdict = Literal["review", "block"]

MINUTE, HOUR, DAY = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Rule:
    """More than `limit` within `window_seconds` for one value of `dimension`, the order at hand included.

    `count` counts orders, `customers` distinct customers; `amount` adds up minor units of `currency` alone.
    """

    name: str
    dimension: Dimension
    window_seconds: int
    measure: Measure
    limit: int
    decision: Verdict
    currency: str = "CNY"

    @property
    def reason(self) -> str:
        return f"velocity:{self.name}>{self.limit}/{self.window_seconds}s"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A single order of more than `limit`, in the limit's currency."""

    name: str
    limit: Money
    decision: Verdict

    @property
    def reason(self) -> str:
        return f"ceiling:{self.name}>{self.limit.amount}{self.limit.currency}"


RULES = (
    Rule("ip", "ip", MINUTE, "count", 60, "review"),
    Rule("device", "device", MINUTE, "count", 30, "review"),
    Rule("device-customers", "device", HOUR, "customers", 10, "block"),
    Rule("customer-amount", "customer", DAY, "amount", 2_000_000, "review"),
    Rule("target", "target", HOUR, "count", 10, "review"),
)
CEILINGS = (Ceiling("order", Money(amount=500_000), "review"),)


def _windows() -> Mapping[Dimension, tuple[int, ...]]:
    found: dict[Dimension, set[int]] = {}
    for rule in RULES:
        found.setdefault(rule.dimension, set()).add(rule.window_seconds)
    return {dimension: tuple(sorted(windows)) for dimension, windows in found.items()}


WINDOWS = _windows()
COUNTS_CUSTOMERS = frozenset((rule.dimension, rule.window_seconds) for rule in RULES if rule.measure == "customers")
ENOUGH_CUSTOMERS = 1 + max((rule.limit for rule in RULES if rule.measure == "customers"), default=0)
