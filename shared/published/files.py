"""The files under docs/events: what they should hold, and what they hold."""

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
    """The schemas alone, by their paths under HOME. Raises Unsaid."""
    return {f"{SCHEMAS}/{version.key}.json": as_json(schema(version)) for version in versions}


def generated(versions: Iterable[EventVersion]) -> dict[str, str]:
    """What is made of each file, by its path under HOME. Raises Unsaid."""
    told = {version: (schema(version), example(version)) for version in versions}
    made = {ASYNCAPI: as_json(asyncapi(told)), CATALOGUE: catalogue(told)}
    for version, (described, shown) in told.items():
        made[f"{SCHEMAS}/{version.key}.json"] = as_json(described)
        made[f"{EXAMPLES}/{version.key}.json"] = as_json(shown)
    return made


def stored(home: Path) -> dict[str, str]:
    """What is there, by path under `home`, of what could have been generated."""
    paths = [*home.glob(f"{SCHEMAS}/*.json"), *home.glob(f"{EXAMPLES}/*.json"), home / ASYNCAPI, home / CATALOGUE]
    return {path.relative_to(home).as_posix(): path.read_text(encoding="utf-8") for path in paths if path.exists()}


def as_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def write(home: Path, made: Mapping[str, str]) -> None:
    """Make the files hold this, and remove what is no longer made."""
    for gone in stored(home).keys() - made.keys():
        (home / gone).unlink()
    for name, text in made.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, encoding="utf-8")
