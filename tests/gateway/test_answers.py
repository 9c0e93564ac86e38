"""The OpenAPI document says what every route answers, and every problem it may answer instead.

That the answers are as declared is held at one place: the client of the API's tests checks each of them
(`tests/gateway/contract.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse, Response

from services.gateway.http.answers import Answer, Documented, refusals
from tests.gateway.builders import Client, Shop, open_shop
from tests.gateway.contract import JSON, METHODS, PROBLEM, Contract


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return open_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def document(shop: Shop) -> dict[str, Any]:
    return shop.client.app.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in METHODS & methods.keys():
            yield f"{method.upper()} {path}", methods[method]


def test_a_generated_client_calls_a_route_by_its_method_and_path(document: dict[str, Any]) -> None:
    ids = {operation["operationId"]: name for name, operation in operations(document)}

    assert ids["post_v1_orders_order_id_cancel"] == "POST /v1/orders/{order_id}/cancel"
    assert len(ids) == sum(1 for _ in operations(document))


def bare(schema: Any, document: dict[str, Any], seen: tuple[str, ...] = ()) -> Iterator[str]:
    """Where a schema says of an object no more than that it is one, or nothing at all."""
    if (ref := schema.get("$ref")) is not None:
        name = ref.rpartition("/")[2]
        if name not in (*seen, "JsonValue"):
            yield from bare(document["components"]["schemas"][name], document, (*seen, name))
        return
    if "const" in schema or "enum" in schema:
        return
    if parts := schema.get("anyOf") or schema.get("oneOf"):
        for part in parts:
            yield from bare(part, document, seen)
    elif schema.get("type") == "array":
        yield from bare(schema["items"], document, seen)
    elif schema.get("type") == "object":
        rest = schema.get("additionalProperties", True)
        if "properties" not in schema and rest is True:
            yield "/".join(seen) or "the answer"
        for part in (*schema.get("properties", {}).values(), *([rest] if isinstance(rest, dict) else ())):
            yield from bare(part, document, seen)
    elif "type" not in schema:
        yield "/".join(seen) or "the answer"


def faults(document: dict[str, Any]) -> Iterator[str]:
    """What the document leaves open."""
    for name, operation in operations(document):
        if not operation.get("summary"):
            yield f"{name} has no summary"
        said = operation["responses"]
        if not any(status.startswith("2") for status in said):
            yield f"{name} declares no yes"
        if {"422", "500", "503"} - said.keys():
            yield f"{name} does not declare what every route may answer"
        for status, response in said.items():
            content = response.get("content", {})
            if not content:
                yield f"{name} does not say as what it answers {status}"
            if status.startswith(("4", "5")) and PROBLEM not in content:
                yield f"{name} answers {status} otherwise than by a problem document"
            if JSON in content:
                yield from (f"{name} {status}: {where} is bare" for where in bare(content[JSON]["schema"], document))


def test_every_route_says_what_it_answers(document: dict[str, Any]) -> None:
    assert list(faults(document)) == []


def test_schemas_have_names_of_their_own(document: dict[str, Any]) -> None:
    assert [name for name in document["components"]["schemas"] if name.startswith("services__")] == []


def test_problems_are_described_once(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert set(schemas["ProblemDocument"]["required"]) == set(schemas["ProblemDocument"]["properties"])
    assert "HTTPValidationError" not in schemas


class Weight(Answer):
    grams: int


def scales(body: object, status: int = 200, **declared: Any) -> FastAPI:
    """An application with one route, which answers this."""
    router = APIRouter()

    @router.get("/scales", summary="Weigh", **declared)
    async def weigh() -> Response:
        return JSONResponse(body, status)

    app = Documented()
    app.include_router(router)
    return app


DECLARED = {"response_model": Weight, "responses": refusals(404)}


@pytest.mark.parametrize(
    ("declared", "fault"),
    [
        ({"response_model": dict[str, Any], "responses": refusals()}, "GET /scales 200: the answer is bare"),
        ({"response_model": dict[str, dict[str, Any]], "responses": refusals()}, "GET /scales 200: the answer is bare"),
        ({"response_model": Weight}, "GET /scales does not declare what every route may answer"),
        ({"response_model": Weight, "responses": {**refusals(), 404: {"model": Weight}}}, "GET /scales answers 404"),
    ],
)
def test_what_a_document_leaves_open_is_found(declared: dict[str, Any], fault: str) -> None:
    found = list(faults(scales({}, **declared).openapi()))
    assert len(found) == 1
    assert found[0].startswith(fault)
    assert list(faults(scales({}, **DECLARED).openapi())) == []


@pytest.mark.parametrize(
    ("body", "status", "fault"),
    [
        ({"grams": "7"}, 200, "otherwise than declared"),
        ({}, 200, "otherwise than declared"),
        ({"grams": 7, "pounds": 1}, 200, "otherwise than declared"),
        ({"grams": 7}, 201, "not declared"),
        ({"grams": 7}, 404, "not declared"),
    ],
)
def test_an_answer_that_was_not_declared_is_found(body: object, status: int, fault: str) -> None:
    client = Client(scales(body, status, **DECLARED), contract=Contract())
    with pytest.raises(AssertionError, match=fault):
        client.get("/scales")
    declared = Client(scales({"grams": 7}, **DECLARED), contract=Contract())
    assert declared.get("/scales").json() == {"grams": 7}
