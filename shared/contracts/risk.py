"""Screening of orders: velocity, lists, decisions with reasons, and cases for people."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import At, Command, Event, Id, Money, Text

Decision = Literal["pass", "review", "block"]
ListName = Literal["block", "allow", "watch"]
Dimension = Literal["ip", "device", "customer", "target"]
# Devices and accounts have names like "Pixel 7" and "张三": anything but control characters.
Entry = Annotated[str, Field(min_length=1, max_length=520, pattern=r"^[^\x00-\x1f\x7f]+$")]


class ScreenOrder(Command, key="order_id"):
    order_id: Id
    customer: Id | None
    ip: Text
    device: Text
    targets: tuple[Text, ...]
    amount: Money


class DecideCase(Command, key="order_id"):
    """A person decides an order that was held for review."""

    order_id: Id
    decision: Literal["pass", "block"]
    note: Text = ""


class CloseCase(Command, key="order_id"):
    """The order was cancelled: nobody need decide it. Nothing happens where no case is open."""

    order_id: Id


class ReopenCase(Command, key="order_id"):
    """The order goes on after all: a case that was closed waits for a person again."""

    order_id: Id


class RecordPaidTargets(Command, key="order_id"):
    """An order is paid: it counts for the accounts and phones that it tops up."""

    order_id: Id
    customer: Id | None
    targets: tuple[Text, ...]
    amount: Money


class SetListEntry(Command, key="entry"):
    """Put a value on a list until a time, or for good. `entry` is `<dimension>:<value>`."""

    entry: Entry
    list: ListName
    dimension: Dimension
    value: Text
    reason: Text
    until: At | None = None


class RemoveListEntry(Command, key="entry"):
    entry: Entry
    reason: Text


class OrderScreened(Event, key="order_id"):
    """The decision with its reasons, and what was looked at: later decisions count it."""

    order_id: Id
    customer: Id | None
    ip: Text
    device: Text
    targets: tuple[Text, ...]
    amount: Money
    decision: Decision
    reasons: tuple[Text, ...]


class TargetsPaid(Event, key="order_id"):
    """An order for these accounts or phones was paid: later decisions count it for them."""

    order_id: Id
    customer: Id | None
    targets: tuple[Text, ...]
    amount: Money


class CaseOpened(Event, key="order_id"):
    """An order is held until a person has looked at it; `again` after it was cancelled and goes on all the same."""

    order_id: Id
    amount: Money
    reasons: tuple[Text, ...]
    again: bool = False


class CaseClosed(Event, key="order_id"):
    """The order was cancelled before a person decided it: nobody need look at it any more."""

    order_id: Id


class CaseDecided(Event, key="order_id"):
    """A person decided an order that was held for review."""

    order_id: Id
    decision: Literal["pass", "block"]
    note: Text


class ListEntrySet(Event, key="entry"):
    """A value was put on a list, until a time or for good. It takes the place of the same value's other `spellings`."""

    entry: Entry
    list: ListName
    dimension: Dimension
    value: Text
    reason: Text
    until: At | None
    spellings: tuple[Entry, ...] = ()


class ListEntryRemoved(Event, key="entry"):
    """A value was taken off its list, in all its `spellings`."""

    entry: Entry
    reason: Text
    spellings: tuple[Entry, ...] = ()
