"""A value on the block, allow or watch list."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts import Event, Given, Refused
from shared.contracts.risk import ListEntryRemoved, ListEntrySet, RemoveListEntry, SetListEntry


@dataclass(frozen=True, slots=True)
class ListEntry:
    """`listed` is how the value was last put on a list, None when it is on none."""

    listed: ListEntrySet | None = None


def decide(command: SetListEntry | RemoveListEntry, state: ListEntry, given: Given) -> list[Event]:
    match command:
        case SetListEntry():
            listed = ListEntrySet(**dict(command))
            _check(command, given)
            return [] if listed == state.listed else [listed]
        case RemoveListEntry(entry=entry, reason=reason):
            if state.listed is None:
                raise Refused("not-listed", f"{entry} is on no list", status=404)
            return [ListEntryRemoved(entry=entry, reason=reason)]


def evolve(state: ListEntry, event: Event) -> ListEntry:
    match event:
        case ListEntrySet():
            return ListEntry(event)
        case ListEntryRemoved():
            return ListEntry()
    return state


def _check(command: SetListEntry, given: Given) -> None:
    if not command.value.strip() or command.entry != f"{command.dimension}:{command.value}":
        raise Refused("wrong-entry", "an entry is named <dimension>:<value>, and neither is empty", status=422)
    if command.until is not None and command.until <= given.now:
        raise Refused("already-over", "a list entry must end in the future", status=422)
