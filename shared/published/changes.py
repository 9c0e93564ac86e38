"""Judges the change of an event's schema: does it break subscribers, or the reading of stored events?

A subscriber breaks on a value, a kind of value or a missing field that the schema did not allow before. Stored events
were written under the old schema, so the new one must not forbid anything. Within one version, only a new optional
field and other descriptions are left.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from typing import Any

from shared.published.schemas import DEPRECATED, KEY, SENT, UNTIL, Schema

NOTICE = timedelta(days=180)
UPPER, LOWER = ("maximum", "maxLength", "maxItems"), ("minimum", "minLength", "minItems")
WORDS = frozenset({"description", "title", "examples", "$defs", "$id", "$schema"})
SEEN_TO = frozenset({"properties", "required", "items", "additionalProperties", "anyOf", "enum", "const", "default"})
PARTS = WORDS | SEEN_TO | {*UPPER, *LOWER, "pattern", "$ref", DEPRECATED, KEY, SENT, UNTIL}


class Breaks(Enum):
    """What a change breaks, and why."""

    NOBODY = "harmless"
    SUBSCRIBERS = "a subscriber that was written for what is stored would not expect it"
    LOG = "what was recorded before could not be read any more"


@dataclass(frozen=True)
class Change:
    """A difference between the stored schema and the code. `where`: a field, `[]` for a list's items, or empty."""

    where: str
    what: str
    breaks: Breaks

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


def changes(before: Schema, after: Schema, today: date) -> list[Change]:
    """What changed between two schemas of the same version of an event."""
    return [*_standing(before, after, today), *_Comparison(before, after).node(before, after, "")]


def _standing(before: Schema, after: Schema, today: date) -> Iterator[Change]:
    """Changes of the partition key, and of whether and until when the version is published."""
    if before[KEY] != after[KEY]:
        yield Change("", f"the partition key was {before[KEY]}, is {after[KEY]}", Breaks.SUBSCRIBERS)
    promised = date.fromisoformat(before[UNTIL]) if UNTIL in before else None
    until = date.fromisoformat(after[UNTIL]) if UNTIL in after else None
    if before[SENT] and not after[SENT]:
        if promised is None:
            yield Change("", "it is published no longer, without notice", Breaks.SUBSCRIBERS)
        elif today <= promised:
            yield Change("", f"it is published no longer, and was to be until {promised}", Breaks.SUBSCRIBERS)
        else:
            yield Change("", "it is published no longer", Breaks.NOBODY)
    elif until and promised and until < promised:
        yield Change("", f"it was to be published until {promised}, now until {until}", Breaks.SUBSCRIBERS)
    elif until and not promised and until < today + NOTICE:
        least = today + NOTICE
        yield Change("", f"it is to be published until {until}, which is before {least}", Breaks.SUBSCRIBERS)
    elif until != promised:
        yield Change("", f"it is published until {until}", Breaks.NOBODY)


class _Comparison:
    def __init__(self, before: Schema, after: Schema) -> None:
        self._before, self._after = before.get("$defs", {}), after.get("$defs", {})

    def node(self, before: Schema, after: Schema, where: str) -> Iterator[Change]:
        """The changes at one place of the schema, and below it."""
        was, was_nullable = _nullable(_resolved(before, self._before), self._before)
        now, is_nullable = _nullable(_resolved(after, self._after), self._after)
        if is_nullable and not was_nullable:
            yield Change(where, "it may be null now", Breaks.SUBSCRIBERS)
        if was_nullable and not is_nullable:
            yield Change(where, "it may not be null any more", Breaks.LOG)
        if different := [part for part in sorted((was.keys() | now.keys()) - PARTS) if was.get(part) != now.get(part)]:
            for part in different:
                what = f"{part} was {_text(was, part)}, is {_text(now, part)}"
                yield Change(where, what, Breaks.SUBSCRIBERS)
            return
        yield from _bounds(was, now, where)
        yield from _values(was, now, where)
        yield from self._branches(was, now, where)
        yield from self._fields(was, now, where)
        for part, mark in (("items", "[]"), ("additionalProperties", "{}")):
            if isinstance(was.get(part), dict) and isinstance(now.get(part), dict):
                yield from self.node(was[part], now[part], where + mark)
            elif was.get(part) != now.get(part):
                yield Change(where, f"{part} was {_text(was, part)}, is {_text(now, part)}", Breaks.SUBSCRIBERS)

    def _fields(self, was: Schema, now: Schema, where: str) -> Iterator[Change]:
        old, new = was.get("properties", {}), now.get("properties", {})
        needed, needs = set(was.get("required", [])), set(now.get("required", []))
        for name in old | new:
            place = f"{where}.{name}" if where else name
            if name not in new:
                yield Change(place, "the field is gone", Breaks.SUBSCRIBERS)
            elif name not in old and name in needs:
                yield Change(place, "a new field without a default", Breaks.LOG)
            elif name not in old:
                yield Change(place, "a new field", Breaks.NOBODY)
            else:
                yield from _presence(old[name], new[name], place, name in needed, name in needs)
                yield from self.node(old[name], new[name], place)

    def _branches(self, was: Schema, now: Schema, where: str) -> Iterator[Change]:
        old = {_canonical(one, self._before) for one in was.get("anyOf", [])}
        new = {_canonical(one, self._after) for one in now.get("anyOf", [])}
        for more in sorted(new - old):
            yield Change(where, f"it may be {more} now", Breaks.SUBSCRIBERS)
        for less in sorted(old - new):
            yield Change(where, f"it may not be {less} any more", Breaks.LOG)


def _presence(was: Schema, now: Schema, where: str, needed: bool, needs: bool) -> Iterator[Change]:
    if needed and not needs:
        yield Change(where, "it may be missing now", Breaks.SUBSCRIBERS)
    elif needs and not needed:
        yield Change(where, "it may not be missing any more", Breaks.LOG)
    elif was.get("default") != now.get("default"):
        what = f"when it is missing it meant {_text(was, 'default')}, now {_text(now, 'default')}"
        yield Change(where, what, Breaks.SUBSCRIBERS)


def _bounds(was: Schema, now: Schema, where: str) -> Iterator[Change]:
    for part in (*UPPER, *LOWER):
        old, new = was.get(part), now.get(part)
        if old != new:
            is_upper = part in UPPER
            looser = new is None or (old is not None and (new > old) == is_upper)
            what = f"{part} was {_text(was, part)}, is {_text(now, part)}"
            yield Change(where, what, Breaks.SUBSCRIBERS if looser else Breaks.LOG)
    if was.get("pattern") != now.get("pattern"):
        what = f"pattern was {_text(was, 'pattern')}, is {_text(now, 'pattern')}"
        yield Change(where, what, Breaks.SUBSCRIBERS if "pattern" in was else Breaks.LOG)


def _values(was: Schema, now: Schema, where: str) -> Iterator[Change]:
    old, new = _allowed(was), _allowed(now)
    if old == new:
        return
    if old is None or new is None:
        what = "any value is allowed now" if new is None else "only some values are allowed now"
        yield Change(where, what, Breaks.SUBSCRIBERS if new is None else Breaks.LOG)
        return
    for more in sorted(new - old):
        yield Change(where, f"{more} is a new value", Breaks.SUBSCRIBERS)
    for less in sorted(old - new):
        yield Change(where, f"{less} is no value any more", Breaks.LOG)


def _allowed(node: Schema) -> set[str] | None:
    values = node.get("enum", [node["const"]] if "const" in node else None)
    return None if values is None else {json.dumps(value, ensure_ascii=False) for value in values}


def _resolved(node: Schema, parts: dict[str, Schema]) -> Schema:
    return parts[node["$ref"].rpartition("/")[2]] if "$ref" in node else node


def _nullable(node: Schema, parts: dict[str, Schema]) -> tuple[Schema, bool]:
    """A schema without its null branch, and whether it had one."""
    branches = [one for one in node.get("anyOf", []) if one != {"type": "null"}]
    if len(branches) == len(node.get("anyOf", [])):
        return node, False
    return (_resolved(branches[0], parts) if len(branches) == 1 else {"anyOf": branches}), True


def _canonical(node: Schema, parts: dict[str, Schema]) -> str:
    bare = {part: value for part, value in _resolved(node, parts).items() if part not in WORDS}
    return json.dumps(bare, sort_keys=True, ensure_ascii=False)


def _text(node: Schema, part: str) -> Any:
    return json.dumps(node[part], ensure_ascii=False) if part in node else "nothing"
