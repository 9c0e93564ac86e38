"""A value on the block, allow or watch list."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts import DecisionContext, Event, Refused
from shared.contracts.risk import ListEntryRemoved, ListEntrySet, RemoveListEntry, SetListEntry
from shared.values.identities import NoCanonicalForm, trait


@dataclass(frozen=True, slots=True)
class ListEntry:
    """An entry of a list. `listed` is the event that put the value on its list, None when it is on no list."""

    listed: ListEntrySet | None = None


def decide_list_entry(command: SetListEntry | RemoveListEntry, state: ListEntry, given: DecisionContext) -> list[Event]:
    """Facts: the entries that stand for the same value in any spelling. Refuses `not-listed`, `wrong-entry` and
    `already-over`."""
    spellings = tuple(entry for entry in given.facts if entry != command.entry)
    match command:
        case SetListEntry():
            listed = ListEntrySet(**dict(command))
            _check(command, given)
            return (
                [] if listed == state.listed and not spellings else [listed.model_copy(update={"spellings": spellings})]
            )
        case RemoveListEntry(entry=entry, reason=reason):
            if state.listed is None and not spellings:
                raise Refused("not-listed", f"{entry} is on no list", status=404)
            return [ListEntryRemoved(entry=entry, reason=reason, spellings=spellings)]


def evolve_list_entry(state: ListEntry, event: Event) -> ListEntry:
    match event:
        case ListEntrySet():
            return ListEntry(event.model_copy(update={"spellings": ()}))
        case ListEntryRemoved():
            return ListEntry()
    return state


def _check(command: SetListEntry, given: DecisionContext) -> None:
    if command.entry != f"{command.dimension}:{command.value}":
        raise Refused("wrong-entry", "an entry is named <dimension>:<value>", status=422)
    try:
        canonical = trait(command.dimension, command.value)
    except NoCanonicalForm as error:
        raise Refused("wrong-entry", f"no order can match this value: the {error}", status=422) from None
    if canonical != command.value:
        raise Refused("wrong-entry", f"no order can match this value; use {canonical}", status=422)
    if command.until is not None and command.until <= given.now:
        raise Refused("already-over", "a list entry must end in the future", status=422)
