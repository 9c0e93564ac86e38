"""Sliding windows in buckets: a bounded history for one value of one dimension. Pure.

A bucket covers a twelfth of its window, so a history holds at most thirteen buckets for each window. Orders within the
window are always counted; orders up to a twelfth of the window earlier may be counted as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import TypeAlias, TypedDict, get_args

from services.risk.domain.rules import COUNTS_CUSTOMERS, ENOUGH_CUSTOMERS, WINDOWS, Counted, Rule
from shared.contracts import Money
from shared.contracts.risk import Dimension, OrderScreened, ScreenOrder, TargetsPaid
from shared.values import identities
from shared.values.identities import or_as_is, trait

PARTS = 12
DIMENSIONS = frozenset(get_args(Dimension))


class Bucket(TypedDict):
    """The orders in one part of a window: part `number` since 1970. `customers` are distinct, and no more than a rule
    needs to be broken."""

    number: int
    count: int
    amounts: dict[str, int]
    customers: list[str]


# Buckets in order, by the length of their window in seconds as text. It is stored as JSON, and never changed in place.
History: TypeAlias = Mapping[str, Sequence[Bucket]]


def traits(order: ScreenOrder | OrderScreened) -> tuple[tuple[Dimension, str], ...]:
    """The values that an order is counted and listed by: dimension and canonical value, each once, none empty."""
    return _traits(order.ip, order.device, order.customer or "", order.targets)


@lru_cache(maxsize=1_000)  # an order's traits are asked for several times
def _traits(ip: str, device: str, customer: str, targets: tuple[str, ...]) -> tuple[tuple[Dimension, str], ...]:
    found: list[tuple[Dimension, str]] = [("ip", ip), ("device", device), ("customer", customer)]
    return _canonical([*found, *(("target", target) for target in targets)])


def mentioned(order: ScreenOrder) -> tuple[tuple[Dimension, str], ...]:
    """Telephone numbers and e-mail addresses within the order's targets. They are looked up on lists, but not counted,
    and an allow list has no effect for them, because the order may not be meant for them."""
    return _mentioned(order.targets)


@lru_cache(maxsize=1_000)
def _mentioned(targets: tuple[str, ...]) -> tuple[tuple[Dimension, str], ...]:
    named = set(_traits("", "", "", targets))
    found: list[tuple[Dimension, str]] = [
        ("target", form) for target in targets for form in identities.mentioned(target)
    ]
    return tuple(trait for trait in dict.fromkeys(found) if trait not in named)


def targets_of(paid: TargetsPaid) -> tuple[tuple[Dimension, str], ...]:
    """The targets that a paid order counts for, as `traits` names them."""
    found: list[tuple[Dimension, str]] = [("target", target) for target in paid.targets]
    return _canonical(found)


def _canonical(found: Sequence[tuple[Dimension, str]]) -> tuple[tuple[Dimension, str], ...]:
    canonical: dict[tuple[Dimension, str], None] = {}
    for dimension, value in found:
        if form := canonical_value(dimension, value):
            canonical[dimension, form] = None
    return tuple(canonical)


def canonical_value(dimension: str, value: str) -> str:
    """A value's canonical form. A value without one, such as in older orders and entries, only loses surrounding
    spaces.

    A value of no dimension stays as it is.
    """
    if dimension not in DIMENSIONS:
        return value
    return or_as_is(partial(trait, dimension), value).strip()


def counted(order: ScreenOrder | OrderScreened) -> tuple[tuple[Counted, str], ...]:
    """The values that an order is measured by: its traits; each target combined with the person, the address and the
    device; and for an order without an account the address and the device as those of a guest."""
    return _counted(traits(order), has_account=bool(order.customer))


@lru_cache(maxsize=1_000)
def _counted(values: tuple[tuple[Dimension, str], ...], *, has_account: bool) -> tuple[tuple[Counted, str], ...]:
    targets = [value for dimension, value in values if dimension == "target"]
    own = (
        f"{dimension}:{value}\n{target}" for target in targets for dimension, value in values if dimension != "target"
    )
    guest = (f"{dimension}:{value}" for dimension, value in values if dimension in ("ip", "device"))
    guests: list[tuple[Counted, str]] = [] if has_account else [("guest", value) for value in guest]
    return (*values, *(("own-target", value) for value in own), *guests)


def placed(order: OrderScreened) -> Iterator[tuple[Counted, str]]:
    """The values that an order counts for as soon as it is placed: all but its targets, which anybody may name.

    A guest's amount counts only if the order passed. Otherwise one large order that is held back would put those of
    others with the same address under review.
    """
    left_out = ("target",) if order.decision == "pass" else ("target", "guest")
    return (trait for trait in counted(order) if trait[0] not in left_out)


def record(history: History, dimension: Counted, at: datetime, amount: Money, customer: str | None) -> History:
    """The history with one more order."""
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
    """The figure that the rule compares with its limit, for an order placed now by this customer."""
    first = _number(now, rule.window_seconds) - PARTS
    recent = [bucket for bucket in history.get(str(rule.window_seconds), ()) if bucket["number"] >= first]
    match rule.measure:
        case "count":
            return 1 + sum(bucket["count"] for bucket in recent)
        case "amount":
            return amount.amount + sum(bucket["amounts"].get(amount.currency, 0) for bucket in recent)
        case "customers":
            customers = {name for bucket in recent for name in bucket["customers"]}
            return len(customers | {customer} if customer else customers)


def idle_from(dimension: Counted, at: datetime) -> datetime:
    """When a history whose last order came at `at` has left all windows."""
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
