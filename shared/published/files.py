"""Makes, reads and writes the files under docs/events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from shared.published.asyncapi import asyncapi
from shared.published.catalogue import catalogue
from shared.published.event_versions import EventVersion
from shared.published.examples import example
from shared.published.schemas import schema

HOME = Path(__file__).parents[2] / "docs" / "events"
SCHEMAS, EXAMPLES, ASYNCAPI, CATALOGUE = "schemas", "examples", "asyncapi.json", "README.md"


def described(versions: Iterable[EventVersion]) -> dict[str, str]:
    """The schemas by path under HOME. Raises Unsaid."""
    return {f"{SCHEMAS}/{version.key}.json": as_json(schema(version)) for version in versions}


def generated(versions: Iterable[EventVersion]) -> dict[str, str]:
    """The content of all files, by path under HOME. Raises Unsaid."""
    published = {version: (schema(version), example(version)) for version in versions}
    made = {ASYNCAPI: as_json(asyncapi(published)), CATALOGUE: catalogue(published)}
    for version, (described, shown) in published.items():
        made[f"{SCHEMAS}/{version.key}.json"] = as_json(described)
        made[f"{EXAMPLES}/{version.key}.json"] = as_json(shown)
    return made


def stored(home: Path) -> dict[str, str]:
    """The stored files, by path under `home`."""
    paths = [*home.glob(f"{SCHEMAS}/*.json"), *home.glob(f"{EXAMPLES}/*.json"), home / ASYNCAPI, home / CATALOGUE]
    return {path.relative_to(home).as_posix(): path.read_text(encoding="utf-8") for path in paths if path.exists()}


def as_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def write(home: Path, made: Mapping[str, str]) -> None:
    """Write the files, and remove stored ones that are no longer made."""
    for gone in stored(home).keys() - made.keys():
        (home / gone).unlink()
    for name, text in made.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, encoding="utf-8")
