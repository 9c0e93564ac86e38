"""Screening of orders: velocity, lists, decisions with reasons, and cases for people."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import At, Command, Doc, Event, Text
from shared.contracts.fields import Amount, Customer, Device, Ip, Note, OrderId, Reason, Reasons

Decision = Literal["pass", "review", "block"]
ListName = Literal["block", "allow", "watch"]
Dimension = Literal["ip", "device", "customer", "target"]
# Devices and accounts have names like "Pixel 7" and "张三": anything but control characters.
Entry = Annotated[
    str,
    Field(min_length=1, max_length=520, pattern=r"^[^\x00-\x1f\x7f]+$"),
    Doc("The entry: `<dimension>:<value>`.", "device:Pixel 7"),
]
Spellings = Annotated[
    tuple[Entry, ...],
    Doc("Entries with other spellings of the value, which this event removes; usually none.", []),
]
Targets = Annotated[tuple[Text, ...], Doc("The accounts and phones to top up.", ["13800000000"])]

# The type of aggregate that a stream is of, by the key of its events.
AGGREGATES = {"order_id": "screening", "entry": "list-entry"}


class ScreenOrder(Command, key="order_id"):
    order_id: OrderId
    customer: Customer | None
    ip: Ip
    device: Device
    targets: Targets
    amount: Amount


class DecideCase(Command, key="order_id"):
    """A person decides an order that was held for review."""

    order_id: OrderId
    decision: Literal["pass", "block"]
    note: Note = ""


class CloseCase(Command, key="order_id"):
    """Close the case of a cancelled order, which needs no decision. Nothing happens when no case is open."""

    order_id: OrderId


class ReopenCase(Command, key="order_id"):
    """Open the closed case of an order that goes on: it waits for a person again."""

    order_id: OrderId


class RecordPaidTargets(Command, key="order_id"):
    """Record that an order is paid. Later decisions count it for the accounts and phones that it tops up."""

    order_id: OrderId
    customer: Customer | None
    targets: Targets
    amount: Amount


class SetListEntry(Command, key="entry"):
    """Put a value on a list until a time, or for good. `entry` is `<dimension>:<value>`."""

    entry: Entry
    list: ListName
    dimension: Dimension
    value: Text
    reason: Reason
    until: At | None = None


class RemoveListEntry(Command, key="entry"):
    entry: Entry
    reason: Reason


class OrderScreened(Event, key="order_id"):
    """An order was screened. The event holds the decision with its reasons, and what was looked at. Later decisions
    count it."""

    order_id: OrderId
    customer: Customer | None
    ip: Ip
    device: Device
    targets: Targets
    amount: Amount
    decision: Annotated[Decision, Doc("What the rules decided; `review` leaves it to a person.", "review")]
    reasons: Reasons


class TargetsPaid(Event, key="order_id"):
    """An order that tops up these accounts or phones was paid. Later decisions count it for them."""

    order_id: OrderId
    customer: Customer | None
    targets: Targets
    amount: Amount


class CaseOpened(Event, key="order_id"):
    """An order waits until a person decides it. `again` means that it had been cancelled before, and goes on."""

    order_id: OrderId
    amount: Amount
    reasons: Reasons
    again: Annotated[bool, Doc("Whether the order had been cancelled before, and goes on.", False)] = False


class CaseClosed(Event, key="order_id"):
    """The order was cancelled before a person decided its case. It needs no decision any more."""

    order_id: OrderId


class CaseDecided(Event, key="order_id"):
    """A person decided an order that was held for review."""

    order_id: OrderId
    decision: Annotated[Literal["pass", "block"], Doc("What was decided.", "pass")]
    note: Note


class ListEntrySet(Event, key="entry"):
    """A value was put on a list, until a time or for good. The entry replaces those of its other `spellings`."""

    entry: Entry
    list: Annotated[ListName, Doc("The list.", "watch")]
    dimension: Annotated[Dimension, Doc("The kind of value.", "device")]
    value: Annotated[Text, Doc("The value.", "Pixel 7")]
    reason: Reason
    until: Annotated[At | None, Doc("Until when it counts; null for good.", "2026-02-01T00:00:00Z")]
    spellings: Spellings = ()


class ListEntryRemoved(Event, key="entry"):
    """A value was taken off its list, with the entries of its other `spellings`."""

    entry: Entry
    reason: Reason
    spellings: Spellings = ()
