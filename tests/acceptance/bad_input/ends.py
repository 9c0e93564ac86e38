"""Requests whose numbers and texts are at the ends of what OpenAPI says, and beyond."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

Schema = Mapping[str, Any]
# Signing in and passwords are throttled, and stay out of the way of what else is tried; files are tried elsewhere.
LEFT_OUT = ("/v1/sessions", "/v1/imports", "/v1/staff", "/healthz", "/livez", "/readyz", "/metrics")
TEXTS = ("", "\ud800", "x\udfff", "a\x00b", "\x00", "\U0001f600", "\u202e", "a\u0301", "\uffff", "%00", "null")
LONGEST = 5_000  # a URL of as many characters of four bytes is as long as clients take
USUAL = (
    "a1", "CNY", "wallet:c1", "a@example.org", "2030-01-01T00:00:00Z", "https://example.org/hook",
    "0197a1b2-0000-7000-8000-000000000000", "kameng.order.OrderPlaced.v1",
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """One request; `content` is its JSON. `what` names the field and the end."""

    what: str
    method: str
    path: str
    content: bytes | None = None


def requests(document: Schema, known: Mapping[str, str]) -> Iterator[Request]:
    """For each operation, each of its parameters and fields at each of its ends, all else being usual.

    `known` are usual values by the names of parameters and fields.
    """
    walk = _Walk(document, known)
    for path, operations in document["paths"].items():
        if path.startswith(LEFT_OUT):
            continue
        for method, operation in operations.items():
            yield from walk.operation(method.upper(), path, operation)


class _Walk:
    def __init__(self, document: Schema, known: Mapping[str, str]) -> None:
        self._schemas, self._known = document.get("components", {}).get("schemas", {}), known

    def operation(self, method: str, path: str, operation: Schema) -> Iterator[Request]:
        name, parameters = f"{method} {path}", operation.get("parameters", ())
        usual = {one["name"]: self.named(one["name"], one["schema"]) for one in parameters if one["in"] == "path"}
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        whole = None if body is None else self.usual(body)
        plain = None if body is None else _json(whole)
        for one in parameters:
            if one["in"] not in ("path", "query"):
                continue
            for value in self.ends(one["schema"]):
                text = _quoted(value)
                if one["in"] == "path" and not text.strip("./"):
                    continue  # another route
                asked = {**usual, one["name"]: value} if one["in"] == "path" else usual
                query = f"?{one['name']}={text}" if one["in"] == "query" else ""
                yield Request(f"{name} {one['name']}", method, _filled(path, asked) + query, plain)
        if body is not None:
            for field, changed in self.changes(body, whole):
                yield Request(f"{name} {field}", method, _filled(path, usual), _json(changed))

    def resolved(self, schema: Schema) -> Schema:
        if "$ref" in schema:
            return self.resolved(self._schemas[schema["$ref"].rpartition("/")[2]])
        for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
            if choice.get("type") != "null":
                return self.resolved(choice)
        return schema

    def named(self, name: str, schema: Schema) -> Any:
        return self._known[name] if name in self._known else self.usual(schema)

    def usual(self, schema: Schema) -> Any:
        """A value that fits, with nothing that may be left out."""
        schema = self.resolved(schema)
        if "const" in schema or "enum" in schema:
            return schema.get("const", next(iter(schema.get("enum", ())), None))
        match schema.get("type"):
            case "object":
                fields = schema.get("properties", {})
                return {name: self.named(name, fields[name]) for name in schema.get("required", ())}
            case "array":
                return [self.usual(schema.get("items", {})) for _ in range(schema.get("minItems", 0))]
            case "integer" | "number":
                return max(schema.get("minimum", 1), 1)
            case "boolean":
                return True
            case _:
                fits = (text for text in USUAL if _fits(text, schema))
                return next(fits, "a1")

    def changes(self, schema: Schema, whole: Any) -> Iterator[tuple[str, Any]]:
        """The whole value with one field at one end after the other."""
        schema = self.resolved(schema)
        match schema.get("type"):
            case "object":
                for name, field in schema.get("properties", {}).items():
                    inner = whole.get(name) if name in whole else self.named(name, field)
                    for where, changed in self.changes(field, inner):
                        yield f"{name}.{where}".rstrip("."), {**whole, name: changed}
            case "array":
                items = schema.get("items", {})
                one = self.usual(items)
                for where, changed in self.changes(items, one):
                    yield f"[].{where}".rstrip("."), [changed, *whole[1:]]
                yield "[]", []
                yield "[]", [one] * (schema.get("maxItems", 200) + 1)
            case _:
                for value in self.ends(schema):
                    yield "", value

    def ends(self, schema: Schema) -> Iterator[Any]:
        schema = self.resolved(schema)
        match schema.get("type"):
            case "integer":
                low, high = schema.get("minimum", -(2**63)), schema.get("maximum", 2**63 - 1)
                yield from dict.fromkeys((low - 1, low, high, high + 1, 2**63, -(2**63) - 1, 10**40))
            case "number":
                low, high = schema.get("minimum", -1e308), schema.get("maximum", 1e308)
                yield from (low - 1, low, high + 1, 10**400, float("nan"), float("inf"))
            case "string" | None:
                most = min(schema.get("maxLength", LONGEST), LONGEST)
                yield from TEXTS
                for letter in ("a", "\U0001f600", "\u5361"):
                    yield from (letter * most, letter * (most + 1))
            case _:
                yield None


def _fits(text: str, schema: Schema) -> bool:
    short = schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", LONGEST)
    return short and re.search(schema.get("pattern", ""), text) is not None


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()  # halves of characters as escapes, as JSON allows


def _quoted(value: Any) -> str:
    return quote(str(value).encode("utf-8", "surrogatepass"), safe="")


def _filled(path: str, values: Mapping[str, Any]) -> str:
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", _quoted(value))
    return path
