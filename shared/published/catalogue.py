"""The catalogue page docs/events/README.md: meaning, fields and example of every event."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from shared.published.event_versions import EventVersion
from shared.published.schemas import Schema

PARAGRAPH, WIDTH = "\n\n", 120
HEAD = """\
# Events

This page lists every event that Kameng publishes. `make contracts` generates it from `shared/contracts`; `make check`
fails when the two differ. How to receive events: [subscribe](../how-to/subscribe.md). How an event may change, and what
we promise: [changing](changing.md).

Each event has a JSON Schema (draft 2020-12) of its body in [schemas](schemas), and a whole message, headers and
body, in [examples](examples); [asyncapi.json](asyncapi.json) describes all of them as AsyncAPI 3. A field with `?` may
be missing in what was recorded before there was the field, and means its default then. Amounts are in minor units (fen,
cents), times UTC. What looks like ciphertext in the examples is none.
"""


def catalogue(published: Mapping[EventVersion, tuple[Schema, Mapping[str, Any]]]) -> str:
    """The page, from the schema and the example of each version."""
    return "\n".join([HEAD, *_anywhere(published), *_index(list(published)), *_services(published), *_parts(published)])


def _anywhere(versions: Iterable[EventVersion]) -> Iterator[str]:
    for name, meaning in sorted({(version.name, version.meaning) for version in versions if version.log}):
        yield textwrap.fill(f"Any log may hold a `{name}`. {meaning.partition(PARAGRAPH)[0]}", WIDTH) + "\n"


def _index(versions: list[EventVersion]) -> Iterator[str]:
    yield "| Service | Events |"
    yield "| --- | --- |"
    for owner, mine in groupby(versions, lambda version: version.owner):
        links = " · ".join(f"[{version.cls.type()}](README.md#{_anchor(version)})" for version in mine)
        yield f"| [{owner}](README.md#{owner}) | {links} |"
    yield ""


def _anchor(version: EventVersion) -> str:
    return version.key.replace(".", "").lower()


def _services(published: Mapping[EventVersion, tuple[Schema, Mapping[str, Any]]]) -> Iterator[str]:
    for owner, mine in groupby(published, lambda version: version.owner):
        yield f"## {owner}\n"
        for version in mine:
            yield from _event(version, *published[version])


def _event(version: EventVersion, schema: Schema, example: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {version.key}\n"
    yield f"{version.meaning}\n"
    facts = [
        f"owner `{version.owner}`",
        f"version {version.number}",
        f"ordered by `{version.cls.key}`",
        _standing(version),
    ]
    links = f"[schema](schemas/{version.key}.json), [example](examples/{version.key}.json)"
    yield f"{'; '.join(facts)}; {links}\n"
    yield from _fields(schema)
    yield f"```json\n{json.dumps(example['body'], ensure_ascii=False)}\n```\n"


def _standing(version: EventVersion) -> str:
    if version.is_current:
        return "the newest"
    if version.until:
        return f"**deprecated**: published until {version.until} at least, beside the newest"
    return "**not published any more**: lifted to the newest"


def _parts(published: Mapping[EventVersion, tuple[Schema, Mapping[str, Any]]]) -> Iterator[str]:
    parts = {name: part for schema, _ in published.values() for name, part in schema.get("$defs", {}).items()}
    yield "## Parts of events\n"
    for name in sorted(parts):
        yield f"### {name}\n"
        yield f"{parts[name].get('description', '')}\n"
        yield from _fields(parts[name])


def _fields(schema: Schema) -> Iterator[str]:
    yield "| Field | Type | Is |"
    yield "| --- | --- | --- |"
    for name, field in schema["properties"].items():
        optional = "" if name in schema["required"] else "?"
        default = f" Default `{json.dumps(field['default'])}`." if "default" in field else ""
        yield f"| `{name}`{optional} | {_type(field)} | {field['description']}{default} |"
    yield ""


def _type(field: Schema) -> str:
    """A field's type in a few words."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](README.md#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(_type(one) for one in field["anyOf"])
    if "enum" in field:
        return " ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "array":
        return f"list of {_type(field['items'])}{_bounds(field, 'Items')}"
    if field["type"] == "object":
        return f"map to {_type(field['additionalProperties'])}"
    return field.get("format", field["type"]) + _bounds(field, "Length") + _range(field)


def _bounds(field: Schema, of: str) -> str:
    least, most = field.get(f"min{of}"), field.get(f"max{of}")
    return "" if least is most is None else f", {least or 0} to {most}" if most is not None else f", at least {least}"


def _range(field: Schema) -> str:
    least, most = field.get("minimum"), field.get("maximum")
    return "" if least is most is None else f", {least} to {most}" if most is not None else f", from {least}"
