"""The JSON of requests, in which each member of an object comes once: two that differ say nothing that can be done."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from services.gateway.problems import Problem


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(members)
    if len(told) != len(members):
        raise Problem(422, "duplicate-member", "a member of a JSON object comes more than once")
    return told


def read_json(told: bytes | str) -> Any:
    """What a JSON text says. Raises Problem (422) for a member that comes twice, ValueError or RecursionError for what
    is no JSON."""
    return json.loads(told, object_pairs_hook=_once)


def check_members(told: bytes | str) -> None:
    """Raises Problem (422) for JSON that says something twice, or more than can be read."""
    try:
        read_json(told)
    except (ValueError, RecursionError):
        raise Problem(422, "invalid-request", "the body is no JSON that can be read") from None


class JsonRequest(Request):
    """A request whose body is read so."""

    async def json(self) -> Any:
        return read_json(await self.body())


class JsonRoute(APIRoute):
    """A route whose body, where it takes one, is read so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def handle_json(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return handle_json
