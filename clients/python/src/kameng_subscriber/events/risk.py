# Generated from the contracts by `python -m clients.generate`. Not to be edited.

"""What `risk` tells."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from kameng_subscriber.events.common import Money
from kameng_subscriber.models import EventData

__all__ = ["CaseDecided", "CaseOpened", "ListEntryRemoved", "ListEntrySet", "OrderScreened"]


class CaseDecided(EventData, event_type="kameng.risk.CaseDecided.v1", event_key="order_id"):
    """A person decided an order that was held for review."""

    order_id: str
    decision: Literal["pass", "block"] | str
    note: str


class CaseOpened(EventData, event_type="kameng.risk.CaseOpened.v1", event_key="order_id"):
    """An order is held until a person has looked at it."""

    order_id: str
    amount: Money
    reasons: tuple[str, ...]


class ListEntryRemoved(EventData, event_type="kameng.risk.ListEntryRemoved.v1", event_key="entry"):
    """A value was taken off its list."""

    entry: str
    reason: str


class ListEntrySet(EventData, event_type="kameng.risk.ListEntrySet.v1", event_key="entry"):
    """A value was put on a list, until a time or for good."""

    entry: str
    list: Literal["block", "allow", "watch"] | str
    dimension: Literal["ip", "device", "customer", "target"] | str
    value: str
    reason: str
    until: datetime | None


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
