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
    Doc("What is listed: `<dimension>:<value>`.", "device:Pixel 7"),
]
Spellings = Annotated[
    tuple[Entry, ...],
    Doc("Other spellings of the same value that stood on lists, and no longer do; as a rule none.", []),
]
Targets = Annotated[tuple[Text, ...], Doc("The accounts and phones to top up.", ["13800000000"])]

# What a stream is called by, by the key of its events.
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
    """The order was cancelled: nobody need decide it. Nothing happens where no case is open."""

    order_id: OrderId


class ReopenCase(Command, key="order_id"):
    """The order goes on after all: a case that was closed waits for a person again."""

    order_id: OrderId


class RecordPaidTargets(Command, key="order_id"):
    """An order is paid: it counts for the accounts and phones that it tops up."""

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
    """The decision with its reasons, and what was looked at: later decisions count it."""

    order_id: OrderId
    customer: Customer | None
    ip: Ip
    device: Device
    targets: Targets
    amount: Amount
    decision: Annotated[Decision, Doc("What the rules decided; `review` leaves it to a person.", "review")]
    reasons: Reasons


class TargetsPaid(Event, key="order_id"):
    """An order for these accounts or phones was paid: later decisions count it for them."""

    order_id: OrderId
    customer: Customer | None
    targets: Targets
    amount: Amount


class CaseOpened(Event, key="order_id"):
    """An order is held until a person has looked at it; `again` after it was cancelled and goes on all the same."""

    order_id: OrderId
    amount: Amount
    reasons: Reasons
    again: Annotated[bool, Doc("Whether its order was cancelled in between, and goes on.", False)] = False


class CaseClosed(Event, key="order_id"):
    """The order was cancelled before a person decided it: nobody need look at it any more."""

    order_id: OrderId


class CaseDecided(Event, key="order_id"):
    """A person decided an order that was held for review."""

    order_id: OrderId
    decision: Annotated[Literal["pass", "block"], Doc("What was decided.", "pass")]
    note: Note


class ListEntrySet(Event, key="entry"):
    """A value was put on a list, until a time or for good. It takes the place of the same value's other `spellings`."""

    entry: Entry
    list: Annotated[ListName, Doc("Which list.", "watch")]
    dimension: Annotated[Dimension, Doc("What sort of value it is.", "device")]
    value: Annotated[Text, Doc("The value.", "Pixel 7")]
    reason: Reason
    until: Annotated[At | None, Doc("Until when; null for good.", "2026-02-01T00:00:00Z")]
    spellings: Spellings = ()


class ListEntryRemoved(Event, key="entry"):
    """A value was taken off its list, in all its `spellings`."""

    entry: Entry
    reason: Reason
    spellings: Spellings = ()
