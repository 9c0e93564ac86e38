"""How routes answer, and how the OpenAPI document describes it.

A route returns a ready `Response`, because validating an answer would cost more than making it. Each route declares its
answers as `response_model` and by `refusals`. The tests check every answer they get against the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from pydantic import BaseModel, JsonValue

from services.gateway.http.pages import JSON, as_json
from services.gateway.http.problems import MEDIA_TYPE

# Statuses that any route may answer: a bad header or parameter, an internal error, no database.
ALWAYS = (422, 500, 503)
# Statuses of routes that need a permission.
ASKED = (401, 403)
# Statuses of routes that send a command.
DECIDED = (*ASKED, 404, 409, 413, 504)
MEANINGS = {
    400: "A required header is missing.",
    401: "There is no token, or it is not valid.",
    403: "The caller may not do this.",
    404: "There is no such thing, or the caller may not see it.",
    409: "The present state does not allow it, or the Idempotency-Key was used for another request.",
    413: "The request is too large.",
    422: "The request does not have the described form, or can't be carried out as it is.",
    429: "Too many requests; `Retry-After` says when to try again.",
    500: "An internal error.",
    503: "Not possible at the moment; send the same request again.",
    504: "No answer came in time. The same request with the same Idempotency-Key returns the outcome.",
}


class Answer(BaseModel):
    """An answer. Members without a default are always present; later versions may add members."""


class ProblemDocument(Answer):
    """A refusal or an error (RFC 9457). `code` is stable and machine readable; `facts` holds details for the caller."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    facts: dict[str, JsonValue]


def answer(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The response of a route that succeeded."""
    return Response(as_json(body), status, headers, media_type=JSON)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer, for the OpenAPI document: these statuses, and those of every route."""
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}}}
    return {status: {"description": MEANINGS[status], "content": content} for status in sorted({*ALWAYS, *statuses})}


class Documented(FastAPI):
    """An application whose OpenAPI document contains the schema that `refusals` refer to."""

    def openapi(self) -> dict[str, Any]:
        is_new, document = self.openapi_schema is None, super().openapi()
        if is_new:
            problem = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas |= {**problem.pop("$defs", {}), ProblemDocument.__name__: problem}
        return document
