"""The JSON Schema (draft 2020-12) of an event's body, from its class, its docstring and the meanings of its fields.

A field is required when it has no default: what was recorded before a field was added comes without it.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from shared.published.fields import Unsaid, doc, parts, where
from shared.published.kinds import Kind

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
DEPRECATED = "deprecated"
KEY, OWNER, UNTIL, SENT = "x-kameng-key", "x-kameng-owner", "x-kameng-published-until", "x-kameng-published"


def schema(kind: Kind) -> Schema:
    """The schema of one version of an event. Raises Unsaid."""
    if not kind.meaning:
        raise Unsaid(f"{kind.key}: class {kind.cls.__name__} in {where(kind.cls)} needs a docstring")
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
    described |= _told(kind.cls, made)
    if defined := made.get("$defs"):
        classes = parts(kind.cls)
        described["$defs"] = {name: _told(classes[name], one) | _about(one) for name, one in sorted(defined.items())}
    return described


def _about(part: Schema) -> Schema:
    return {"description": " ".join(part["description"].split())} if "description" in part else {}


def _told(cls: type[BaseModel], made: Schema) -> Schema:
    fields = {name: _field(cls, name, field) for name, field in made["properties"].items()}
    return {"type": "object", "required": made.get("required", []), "properties": fields}


def _field(cls: type[BaseModel], name: str, made: Schema) -> Schema:
    return {"description": doc(cls, name).meaning} | {part: value for part, value in made.items() if part != "title"}
