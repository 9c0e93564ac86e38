"""Sliding windows kept in buckets: a bounded history for one value of one dimension.

Every window is kept in buckets of a twelfth of its length, so that a history holds at most thirteen of them. What was
within the window is always counted; what was up to a twelfth of the window earlier may be counted as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias, TypedDict

from services.risk.domain.rules import COUNTS_CUSTOMERS, ENOUGH_CUSTOMERS, WINDOWS, Rule
from shared.contracts import Money
from shared.contracts.risk import Dimension, OrderScreened, ScreenOrder

PARTS = 12


class Bucket(TypedDict):
    """What happened in one part of a window: the part with this number since 1970. `customers` are distinct, and
    never more than any rule needs to see to be broken."""

    number: int
    count: int
    amounts: dict[str, int]
    customers: list[str]


# A window's length in seconds, as text, to its buckets in order: JSON as it is stored, never changed in place.
History: TypeAlias = Mapping[str, Sequence[Bucket]]


def traits(order: ScreenOrder | OrderScreened) -> tuple[tuple[Dimension, str], ...]:
    """What an order can be counted and listed by: dimension and value, each once, none empty."""
    found: list[tuple[Dimension, str]] = [
        ("ip", order.ip.strip()),
        ("device", order.device.strip()),
        ("customer", order.customer or ""),
        *(("target", target.strip()) for target in order.targets),
    ]
    return tuple(dict.fromkeys(trait for trait in found if trait[1]))


def record(history: History, dimension: Dimension, at: datetime, amount: Money, customer: str | None) -> History:
    """The history with one order more."""
    return {
        str(window): _add(
            history.get(str(window), ()),
            _number(at, window),
            amount,
            customer if (dimension, window) in COUNTS_CUSTOMERS else None,
        )
        for window in WINDOWS[dimension]
    }


def measured(rule: Rule, history: History, now: datetime, amount: Money, customer: str | None) -> int:
    """What the rule looks at, for an order placed now by this customer."""
    first = _number(now, rule.window_seconds) - PARTS
    recent = [bucket for bucket in history.get(str(rule.window_seconds), ()) if bucket["number"] >= first]
    match rule.measure:
        case "count":
            return 1 + sum(bucket["count"] for bucket in recent)
        case "amount":
            own = amount.amount if amount.currency == rule.currency else 0
            return own + sum(bucket["amounts"].get(rule.currency, 0) for bucket in recent)
        case "customers":
            seen = {other for bucket in recent for other in bucket["customers"]}
            return len(seen | {customer} if customer else seen)


def idle_from(dimension: Dimension, at: datetime) -> datetime:
    """When a history whose last order came at `at` has nothing left that a window could see."""
    longest = max(WINDOWS[dimension])
    return at + timedelta(seconds=longest + longest // PARTS)


def _number(at: datetime, window: int) -> int:
    return int(at.timestamp()) // (window // PARTS)


def _add(buckets: Sequence[Bucket], number: int, amount: Money, customer: str | None) -> list[Bucket]:
    by_number = {bucket["number"]: bucket for bucket in buckets}
    before = by_number.get(number, Bucket(number=number, count=0, amounts={}, customers=[]))
    by_number[number] = Bucket(
        number=number,
        count=before["count"] + 1,
        amounts=before["amounts"] | {amount.currency: before["amounts"].get(amount.currency, 0) + amount.amount},
        customers=_with(before["customers"], customer),
    )
    oldest = max(by_number) - PARTS
    return [by_number[kept] for kept in sorted(by_number) if kept >= oldest]


def _with(customers: list[str], customer: str | None) -> list[str]:
    if customer is None or customer in customers or len(customers) >= ENOUGH_CUSTOMERS:
        return customers
    return [*customers, customer]
