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
    """The order was cancelled before a person decided its case. It needs no decision any more."""

    order_id: str


class CaseDecided(EventData, event_type="kameng.risk.CaseDecided.v1", event_key="order_id"):
    """A person decided an order that was held for review."""

    order_id: str
    decision: Literal["pass", "block"] | str
    note: str


class CaseOpened(EventData, event_type="kameng.risk.CaseOpened.v1", event_key="order_id"):
    """An order waits until a person decides it. `again` means that it had been cancelled before, and goes on."""

    order_id: str
    amount: Money
    reasons: tuple[str, ...]
    again: bool = False


class ListEntryRemoved(EventData, event_type="kameng.risk.ListEntryRemoved.v1", event_key="entry"):
    """A value was taken off its list, with the entries of its other `spellings`."""

    entry: str
    reason: str
    spellings: tuple[str, ...] = ()


class ListEntrySet(EventData, event_type="kameng.risk.ListEntrySet.v1", event_key="entry"):
    """A value was put on a list, until a time or for good. The entry replaces those of its other `spellings`."""

    entry: str
    list: Literal["block", "allow", "watch"] | str
    dimension: Literal["ip", "device", "customer", "target"] | str
    value: str
    reason: str
    until: datetime | None
    spellings: tuple[str, ...] = ()


class OrderScreened(EventData, event_type="kameng.risk.OrderScreened.v1", event_key="order_id"):
    """An order was screened. The event holds the decision with its reasons, and what was looked at. Later decisions
    count it."""

    order_id: str
    customer: str | None
    ip: str
    device: str
    targets: tuple[str, ...]
    amount: Money
    decision: Literal["pass", "review", "block"] | str
    reasons: tuple[str, ...]


class TargetsPaid(EventData, event_type="kameng.risk.TargetsPaid.v1", event_key="order_id"):
    """An order that tops up these accounts or phones was paid. Later decisions count it for them."""

    order_id: str
    customer: str | None
    targets: tuple[str, ...]
    amount: Money


class PositionLost(EventData, event_type="kameng.risk.PositionLost.v1", event_key="log"):
    """The event at this position was lost with a database and can't be recovered. It changes no state.

    It takes up the position, so that no other event gets it. The log of the service `log` was restored from a backup up
    to position `kept`, whose event was recorded at `since`. Readers or subscribers knew events up to position `upto`.
    """

    log: str
    kept: int
    upto: int
    since: datetime
