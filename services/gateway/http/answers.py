"""How routes answer, and how the OpenAPI document says so.

A route makes its answer as a ready `Response`: to have each one validated would cost more than to make it. What it
answers is declared, as `response_model` and by `refusals`, and the tests hold every answer they get against the
document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from pydantic import BaseModel, JsonValue

from services.gateway.http.pages import JSON, as_json
from services.gateway.http.problems import MEDIA_TYPE

# What any request may be answered: a header or a parameter that does not fit, an error of ours, no database.
ALWAYS = (422, 500, 503)
# Of what needs a permission.
ASKED = (401, 403)
# Of what has a command decided.
DECIDED = (*ASKED, 404, 409, 413, 504)
MEANINGS = {
    400: "A header that this needs is missing.",
    401: "No token, or one that does not hold.",
    403: "Whoever asks may not.",
    404: "There is no such thing, or it is not shown to whoever asks.",
    409: "It does not fit how things stand, or its Idempotency-Key was used otherwise.",
    413: "The request is larger than allowed here.",
    422: "The request does not have the form described, or can't be done as it is.",
    429: "Too many of these; `Retry-After` says when again.",
    500: "Something went wrong on our side.",
    503: "Not now: send the same again.",
    504: "No answer came in time: the same request with the same Idempotency-Key finds out what became of it.",
}


class Answer(BaseModel):
    """What is answered. Members without a default are always there; more may come with a later version."""


class ProblemDocument(Answer):
    """Every "no" (RFC 9457). `code` is stable and machine readable; `facts` is what the caller may need."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    facts: dict[str, JsonValue]


def answer(told: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A route's yes."""
    return Response(as_json(told), status, headers, media_type=JSON)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer, for the document: these, and those that any may."""
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}}}
    return {status: {"description": MEANINGS[status], "content": content} for status in sorted({*ALWAYS, *statuses})}


class Documented(FastAPI):
    """Its OpenAPI document has the schema that `refusals` refer to."""

    def openapi(self) -> dict[str, Any]:
        is_new, document = self.openapi_schema is None, super().openapi()
        if is_new:
            problem = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas |= {**problem.pop("$defs", {}), ProblemDocument.__name__: problem}
        return document
