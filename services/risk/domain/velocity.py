"""Sliding windows kept in buckets: a bounded history for one value of one dimension.

Every window is kept in buckets of a twelfth of its length, so that a history holds at most thirteen of them. What was
within the window is always counted; what was up to a twelfth of the window earlier may be counted as well.
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
    """What happened in one part of a window: the part with this number since 1970. `customers` are distinct, and
    never more than any rule needs to see to be broken."""

    number: int
    count: int
    amounts: dict[str, int]
    customers: list[str]


# A window's length in seconds, as text, to its buckets in order: JSON as it is stored, never changed in place.
History: TypeAlias = Mapping[str, Sequence[Bucket]]


def traits(order: ScreenOrder | OrderScreened) -> tuple[tuple[Dimension, str], ...]:
    """What an order can be counted and listed by: dimension and canonical value, each once, none empty."""
    return _traits(order.ip, order.device, order.customer or "", order.targets)


@lru_cache(maxsize=1_000)  # an order's traits are asked for several times
def _traits(ip: str, device: str, customer: str, targets: tuple[str, ...]) -> tuple[tuple[Dimension, str], ...]:
    found: list[tuple[Dimension, str]] = [("ip", ip), ("device", device), ("customer", customer)]
    return _canonical([*found, *(("target", target) for target in targets)])


def mentioned(order: ScreenOrder) -> tuple[tuple[Dimension, str], ...]:
    """What else the order's targets hold: telephone numbers and e-mail addresses, by which it is looked up on lists.
    They are not what is bought for, as far as a machine can tell: nothing is counted for them, or allowed."""
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
    """A value's canonical form; what has none, as older orders and entries may, without the spaces around it.

    What is in no dimension stays as it is.
    """
    if dimension not in DIMENSIONS:
        return value
    return or_as_is(partial(trait, dimension), value).strip()


def counted(order: ScreenOrder | OrderScreened) -> tuple[tuple[Counted, str], ...]:
    """What an order is measured by: its traits, each target as that of the person, address and device, and without an
    account the address and the device as a guest's."""
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
    """What an order counts for as soon as it is placed: all but its targets, which anybody may name.

    A guest's amount counts where the order passed: one large order that nobody lets pass must not put those of others
    who share the address under review.
    """
    left_out = ("target",) if order.decision == "pass" else ("target", "guest")
    return (trait for trait in counted(order) if trait[0] not in left_out)


def record(history: History, dimension: Counted, at: datetime, amount: Money, customer: str | None) -> History:
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
            return amount.amount + sum(bucket["amounts"].get(amount.currency, 0) for bucket in recent)
        case "customers":
            seen = {other for bucket in recent for other in bucket["customers"]}
            return len(seen | {customer} if customer else seen)


def idle_from(dimension: Counted, at: datetime) -> datetime:
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
