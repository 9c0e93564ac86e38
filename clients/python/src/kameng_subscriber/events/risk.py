# Generated from the contracts by `python -m clients.generate`. Not to be edited.

"""What `risk` tells."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from kameng_subscriber.events.common import Money
from kameng_subscriber.models import EventData

__all__ = [
    "CaseClosed",
    "CaseDecided",
    "CaseOpened",
    "ListEntryRemoved",
    "ListEntrySet",
    "OrderScreened",
    "PositionLost",
    "TargetsPaid",
]


class CaseClosed(EventData, event_type="kameng.risk.CaseClosed.v1", event_key="order_id"):
    """The order was cancelled before a person decided it: nobody need look at it any more."""

    order_id: str


class CaseDecided(EventData, event_type="kameng.risk.CaseDecided.v1", event_key="order_id"):
    """A person decided an order that was held for review."""

    order_id: str
    decision: Literal["pass", "block"] | str
    note: str


class CaseOpened(EventData, event_type="kameng.risk.CaseOpened.v1", event_key="order_id"):
    """An order is held until a person has looked at it; `again` after it was cancelled and goes on all the same."""

    order_id: str
    amount: Money
    reasons: tuple[str, ...]
    again: bool = False


class ListEntryRemoved(EventData, event_type="kameng.risk.ListEntryRemoved.v1", event_key="entry"):
    """A value was taken off its list, in all its `spellings`."""

    entry: str
    reason: str
    spellings: tuple[str, ...] = ()


class ListEntrySet(EventData, event_type="kameng.risk.ListEntrySet.v1", event_key="entry"):
    """A value was put on a list, until a time or for good. It takes the place of the same value's other `spellings`."""

    entry: str
    list: Literal["block", "allow", "watch"] | str
    dimension: Literal["ip", "device", "customer", "target"] | str
    value: str
    reason: str
    until: datetime | None
    spellings: tuple[str, ...] = ()


class OrderScreened(EventData, event_type="kameng.risk.OrderScreened.v1", event_key="order_id"):
    """The decision with its reasons, and what was looked at: later decisions count it."""

    order_id: str
    customer: str | None
    ip: str
    device: str
    targets: tuple[str, ...]
    amount: Money
    decision: Literal["pass", "review", "block"] | str
    reasons: tuple[str, ...]


class TargetsPaid(EventData, event_type="kameng.risk.TargetsPaid.v1", event_key="order_id"):
    """An order for these accounts or phones was paid: later decisions count it for them."""

    order_id: str
    customer: str | None
    targets: tuple[str, ...]
    amount: Money


class PositionLost(EventData, event_type="kameng.risk.PositionLost.v1", event_key="log"):
    """What stood at this position was lost with a database, and nobody can know it any more. Nothing follows from it.

    It keeps the position from being given to another event: the log of the service `log` was restored up to `kept`,
    whose event is of the time `since`, and others had heard of events up to `upto`."""

    log: str
    kept: int
    upto: int
    since: datetime
