"""Compares the contracts with the stored files, and advises what to do about breaking changes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from cloudevents.core.bindings.rabbitmq import CE_PREFIX

from shared.published.asyncapi import OPTIONAL
from shared.published.changes import NOTICE, Breaks, Change, changes
from shared.published.event_versions import EventVersion
from shared.published.files import EXAMPLES, SCHEMAS, described, generated

GUIDE = "docs/events/changing.md"
WRITE = "run `make contracts`, and commit what it writes with the change"


@dataclass(frozen=True)
class Review:
    """`breaking` and `harmless` changes, a paragraph each, and the `stale` files, which differ."""

    breaking: list[str]
    harmless: list[str]
    stale: list[str]


def reviewed(before: Mapping[str, str], versions: Iterable[EventVersion], today: date) -> tuple[Review, dict[str, str]]:
    """Compare the stored files with the contracts. Returns the review, and the content that the files should have,
    empty when there are breaking changes. Raises Unsaid."""
    every = list(versions)
    schemas = review(before, described(every), today)
    if schemas.breaking:
        return schemas, {}
    made = generated(every)
    return review(before, made, today), made


def review(before: Mapping[str, str], after: Mapping[str, str], today: date) -> Review:
    """Compare stored files with new ones, by path."""
    breaking: list[str] = []
    harmless: list[str] = []
    for key in sorted(_keys(before) | _keys(after)):
        found = list(_changes(key, before, after, today))
        if broken := [one for one in found if one.breaks is not Breaks.NOBODY]:
            breaking.append(_broken(key, broken))
        harmless += [f"{key}: {one}" for one in found if one.breaks is Breaks.NOBODY]
    stale = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    return Review(breaking, harmless, stale)


def _keys(files: Mapping[str, str]) -> set[str]:
    """The keys of the versions that have files."""
    return {path.partition("/")[2].removesuffix(".json") for path in files if path.startswith((SCHEMAS, EXAMPLES))}


def _changes(key: str, before: Mapping[str, str], after: Mapping[str, str], today: date) -> Iterator[Change]:
    schema, example = f"{SCHEMAS}/{key}.json", f"{EXAMPLES}/{key}.json"
    if schema not in after:
        yield Change("", "the contracts do not know it any more", Breaks.LOG)
    elif schema not in before and example not in before:
        yield Change("", "it is new", Breaks.NOBODY)
    elif schema not in before or example not in before:
        lost = schema if schema not in before else example
        yield Change("", f"{lost} is gone, so that nobody can tell what changed: get it back", Breaks.SUBSCRIBERS)
    else:
        yield from changes(json.loads(before[schema]), json.loads(after[schema]), today)
        if example in after:
            yield from _envelope(json.loads(before[example]), json.loads(after[example]))


def _envelope(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """The changes outside of the body."""
    was, now = before["headers"], after["headers"]
    for gone in sorted(was.keys() - now.keys() - {CE_PREFIX + name for name in OPTIONAL}):
        yield Change(gone, "the header is gone", Breaks.SUBSCRIBERS)
    for new in sorted(now.keys() - was.keys()):
        yield Change(new, "a new header", Breaks.NOBODY)
    for what, old, new in zip(
        ("content type", "source", "subject", "sequence"), _form(before), _form(after), strict=True
    ):
        if old != new:
            yield Change("", f"its {what} was {old}, is {new}", Breaks.SUBSCRIBERS)


def _form(example: Mapping[str, Any]) -> tuple[Any, ...]:
    """The parts that are the same in every message of a version."""
    headers = example["headers"]
    key = headers.get("ce-partitionkey", "")
    subject = headers.get("ce-subject", "").removesuffix(key) + "<key>"
    return example["content_type"], headers.get("ce-source"), subject, f"{len(headers.get('ce-sequence', ''))} digits"


def _broken(key: str, found: list[Change]) -> str:
    lines = [f"{key}, as subscribers know it, is broken:"]
    lines += [f"  - {one}\n    ({one.breaks.value})" for one in found]
    return "\n".join([*lines, *_advice(key)])


def _advice(key: str) -> list[str]:
    owner, name, version = key.split(".")
    number = int(version.removeprefix("v"))
    return [
        f"  What to do, in shared/contracts/{owner}.py (all of it: {GUIDE}):",
        f"  1. Let version {number} be what it was, under another name:",
        f'       class {name}V{number}(Former, of="{name}", key=…, version={number})',
        "     An event that nobody decides any more keeps its class as well: the log holds it.",
        f"  2. Say the new thing in a new version: class {name}(Event, key=…, version={number + 1})",
        f'  3. Lift what logs hold: @upcaster("{name}", {number})',
        f"  4. Go on publishing version {number} beside it, for {NOTICE.days} days at least:",
        f'       @downcaster("{name}", {number + 1}, until=date(…))',
        "  5. `make contracts`: it writes the new version's files, and tells subscribers of the old one its last day.",
        "  A new optional field (with a default) needs none of this. There is no switch to write it nevertheless.",
    ]
