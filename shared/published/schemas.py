"""The JSON Schema (draft 2020-12) of an event's body, from its class, its docstring and the meanings of its fields.

A field is required when it has no default: what was recorded before a field was added comes without it.
"""

from __future__ import annotations

from typing import Any

from shared.published.kinds import Kind
from shared.published.words import word

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
DEPRECATED = "deprecated"
KEY, OWNER, UNTIL, SENT = "x-kameng-key", "x-kameng-owner", "x-kameng-published-until", "x-kameng-published"


class Unsaid(ValueError):
    """What subscribers are to read is not written: an event has no docstring, or a field no meaning."""


def schema(kind: Kind) -> Schema:
    """The schema of one version of an event. Raises Unsaid."""
    if not kind.meaning:
        raise Unsaid(f"{kind.key}: class {kind.cls.__name__} in shared/contracts/{kind.owner}.py needs a docstring")
    made = kind.cls.model_json_schema(mode="validation")
    described: Schema = {
        "$schema": DIALECT,
        "$id": f"urn:kameng:event:{kind.key}",
        "title": kind.cls.type(),
        "description": kind.meaning,
        OWNER: kind.owner,
        KEY: kind.cls.key,
        SENT: kind.is_sent,
    }
    if not kind.is_current:
        described[DEPRECATED] = True
    if kind.until:
        described[UNTIL] = kind.until.isoformat()
    described |= _told(kind.name, made)
    if parts := made.get("$defs"):
        described["$defs"] = {name: _told(name, part) | _about(part) for name, part in sorted(parts.items())}
    return described


def _about(part: Schema) -> Schema:
    return {"description": " ".join(part["description"].split())} if "description" in part else {}


def _told(cls: str, made: Schema) -> Schema:
    fields = {name: _field(cls, name, field) for name, field in made["properties"].items()}
    return {"type": "object", "required": made.get("required", []), "properties": fields}


def _field(cls: str, name: str, made: Schema) -> Schema:
    said = word(cls, name)
    if said is None:
        raise Unsaid(f"{cls}.{name} needs a meaning in shared/published/words.py")
    return {"description": said.meaning} | {part: value for part, value in made.items() if part != "title"}
