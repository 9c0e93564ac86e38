"""The JSON of requests, in which each member of an object comes once: two that differ say nothing that can be done."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from services.gateway.http.problems import Problem
from shared.values.json_text import NoJson, SaidTwice, read_json


def unread(error: SaidTwice | NoJson) -> Problem:
    """What who sent it is answered."""
    return Problem(422, "duplicate-member" if isinstance(error, SaidTwice) else "invalid-request", str(error))


class JsonRequest(Request):
    """A request whose body is read so."""

    async def json(self) -> Any:
        try:
            return read_json(await self.body())
        except SaidTwice as error:
            raise unread(error) from None


class JsonRoute(APIRoute):
    """A route whose body, where it takes one, is read so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def handle_json(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return handle_json
