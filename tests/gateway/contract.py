"""Holds what the API answers against its OpenAPI document."""

from __future__ import annotations

import json
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator
from starlette.types import ASGIApp, Receive, Scope, Send

PROBLEM, JSON = "application/problem+json", "application/json"
PAGES = frozenset({"/docs", "/redoc", "/openapi.json"})
METHODS = frozenset({"get", "put", "post", "delete", "patch"})


class Routed:
    """An application that remembers which route took the last request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.route: APIRoute | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        finally:
            route = scope.get("route")
            self.route = route if isinstance(route, APIRoute) else None


class Contract:
    """An OpenAPI document, made strict: an object has no other members than those declared.

    It is that of the first application whose answer is checked: making it takes longer than most tests do.
    """

    def __init__(self) -> None:
        self._document: dict[str, Any] = {}
        self._validators: dict[str, Draft202012Validator] = {}

    def check(self, app: FastAPI, route: APIRoute | None, answer: httpx.Response) -> None:
        """Raises AssertionError for an answer that the document does not describe: its status, its media type, or a
        member that is missing, of another kind or not declared."""
        if not self._document:
            self._document = json.loads(json.dumps(app.openapi()))
            _close(self._document)
        request = f"{answer.request.method} {answer.request.url.path} answers {answer.status_code}"
        if route is None or answer.request.method not in (route.methods or ()):
            if answer.status_code < 400:
                assert answer.request.url.path in PAGES, f"{request}, and no route took it"
            else:  # a path or method that there is not, or a request that no route was asked with
                self._hold(request, {"$ref": "#/components/schemas/ProblemDocument"}, answer)
            return
        if not route.include_in_schema:
            return
        said = self._document["paths"][self._path(route)][answer.request.method.lower()]["responses"]
        assert str(answer.status_code) in said, f"{request}, which is not declared"
        content = said[str(answer.status_code)]["content"]
        media = answer.headers.get("content-type", "").partition(";")[0]
        assert media in content, f"{request} as {media}, which is not declared"
        if media in (JSON, PROBLEM):
            self._hold(request, content[media]["schema"], answer)

    def _path(self, route: APIRoute) -> str:
        path = route.path_format
        return path if path in self._document["paths"] else path.replace(":path}", "}")

    def _hold(self, request: str, schema: dict[str, Any], answer: httpx.Response) -> None:
        name = json.dumps(schema)
        if name not in self._validators:
            self._validators[name] = Draft202012Validator({**schema, "components": self._document["components"]})
        faults = list(self._validators[name].iter_errors(answer.json()))
        text = "; ".join(f"{'.'.join(map(str, fault.absolute_path))}: {fault.message}" for fault in faults[:3])
        assert not faults, f"{request} otherwise than declared: {text[:2_000]}"


OF_THE_API = Contract()


def _close(schema: Any) -> None:
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for part in schema.values():
            _close(part)
    elif isinstance(schema, list):
        for part in schema:
            _close(part)
