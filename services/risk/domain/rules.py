"""The rules that screen an order: how often, how much, how many people. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from shared.contracts import Money
from shared.contracts.risk import Dimension

Measure = Literal["count", "amount", "customers"]
# `own-target`: a target combined with one buyer. Unpaid orders of others for a target say nothing about its owner.
# `guest`: an address or a device of orders without an account.
Counted = Dimension | Literal["own-target", "guest"]
Verdict = Literal["review", "block"]

MINUTE, HOUR, DAY = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that is broken by more than `limit` within `window_seconds` for one value of `dimension`, including the
    present order.

    `count` counts orders, those for a `target` once they are paid; `customers` counts distinct customers; `amount` adds
    up minor units of the order's currency alone.
    """

    name: str
    dimension: Counted
    window_seconds: int
    measure: Measure
    limit: int
    decision: Verdict

    @property
    def reason(self) -> str:
        return f"velocity:{self.name}>{self.limit}/{self.window_seconds}s"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A limit for a single order, in the limit's currency."""

    name: str
    limit: Money
    decision: Verdict

    @property
    def reason(self) -> str:
        return f"ceiling:{self.name}>{self.limit.amount}{self.limit.currency}"


@dataclass(frozen=True, slots=True)
class AmountLimits:
    """Limits in minor units by currency: of one order, and of a customer's or a guest's orders in 24 hours. An order in
    a currency without a limit is reviewed by a person."""

    order: Mapping[str, int]
    customer_day: Mapping[str, int]

    def ceilings(self, currency: str) -> Sequence[Ceiling]:
        limit = self.order.get(currency)
        return () if limit is None else (_order_ceiling(limit, currency),)

    def rules(self, currency: str) -> Sequence[Rule]:
        limit = self.customer_day.get(currency)
        return () if limit is None else (customer_amount(limit), guest_amount(limit))

    def missing(self, currency: str) -> Sequence[str]:
        """The reasons to review an order because its currency has no limit."""
        tables = (("order", self.order), ("customer-amount", self.customer_day))
        return [f"no-limit:{name}:{currency}" for name, table in tables if currency not in table]


@lru_cache(maxsize=1_000)  # each order asks for these
def _order_ceiling(limit: int, currency: str) -> Ceiling:
    return Ceiling("order", Money(amount=limit, currency=currency), "review")


@lru_cache(maxsize=1_000)
def customer_amount(limit: int) -> Rule:
    """What a customer may spend in 24 hours."""
    return Rule("customer-amount", "customer", DAY, "amount", limit, "review")


@lru_cache(maxsize=1_000)
def guest_amount(limit: int) -> Rule:
    """What may be spent without an account from one address, or with one device, in 24 hours."""
    return Rule("guest-amount", "guest", DAY, "amount", limit, "review")


USUAL_LIMITS = AmountLimits(order={"CNY": 500_000}, customer_day={"CNY": 2_000_000})
RULES = (
    Rule("ip", "ip", MINUTE, "count", 60, "review"),
    Rule("ip-flood", "ip", MINUTE, "count", 80, "block"),
    Rule("device", "device", MINUTE, "count", 30, "review"),
    Rule("device-flood", "device", MINUTE, "count", 60, "block"),
    Rule("device-customers", "device", HOUR, "customers", 10, "block"),
    Rule("target", "target", HOUR, "count", 10, "review"),
    Rule("own-target", "own-target", HOUR, "count", 10, "review"),
)


def _windows() -> Mapping[Counted, tuple[int, ...]]:
    found: dict[Counted, set[int]] = {}
    for rule in (*RULES, customer_amount(0), guest_amount(0)):
        found.setdefault(rule.dimension, set()).add(rule.window_seconds)
    return {dimension: tuple(sorted(windows)) for dimension, windows in found.items()}


WINDOWS = _windows()
COUNTS_CUSTOMERS = frozenset((rule.dimension, rule.window_seconds) for rule in RULES if rule.measure == "customers")
ENOUGH_CUSTOMERS = 1 + max((rule.limit for rule in RULES if rule.measure == "customers"), default=0)
