"""The JSON Schema (draft 2020-12) of an event's body, from its class, docstring and the meanings of its fields.

A field with a default is not required: events that were recorded before it was added lack it.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from shared.published.event_versions import EventVersion
from shared.published.fields import Unsaid, doc, parts, where

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
DEPRECATED = "deprecated"
KEY, OWNER, UNTIL, SENT = "x-kameng-key", "x-kameng-owner", "x-kameng-published-until", "x-kameng-published"


def schema(version: EventVersion) -> Schema:
    """The schema of one version of an event. Raises Unsaid."""
    if not version.meaning:
        raise Unsaid(f"{version.key}: class {version.cls.__name__} in {where(version.cls)} needs a docstring")
    made = version.cls.model_json_schema(mode="validation")
    described: Schema = {
        "$schema": DIALECT,
        "$id": f"urn:kameng:event:{version.key}",
        "title": version.cls.type(),
        "description": version.meaning,
        OWNER: version.owner,
        KEY: version.cls.key,
        SENT: version.is_sent,
    }
    if not version.is_current:
        described[DEPRECATED] = True
    if version.until:
        described[UNTIL] = version.until.isoformat()
    described |= _with_meanings(version.cls, made)
    if defined := made.get("$defs"):
        classes = parts(version.cls)
        described["$defs"] = {
            name: _with_meanings(classes[name], one) | _about(one) for name, one in sorted(defined.items())
        }
    return described


def _about(part: Schema) -> Schema:
    return {"description": " ".join(part["description"].split())} if "description" in part else {}


def _with_meanings(cls: type[BaseModel], made: Schema) -> Schema:
    fields = {name: _field(cls, name, field) for name, field in made["properties"].items()}
    return {"type": "object", "required": made.get("required", []), "properties": fields}


def _field(cls: type[BaseModel], name: str, made: Schema) -> Schema:
    return {"description": doc(cls, name).meaning} | {part: value for part, value in made.items() if part != "title"}
