"""Reads the JSON of requests, and refuses objects that repeat a member."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from services.gateway.http.problems import Problem
from shared.values.json_text import NoJson, SaidTwice, read_json


def unread(error: SaidTwice | NoJson) -> Problem:
    """The problem for JSON that can't be read."""
    return Problem(422, "duplicate-member" if isinstance(error, SaidTwice) else "invalid-request", str(error))


class JsonRequest(Request):
    """A request whose JSON may not repeat a member."""

    async def json(self) -> Any:
        try:
            return read_json(await self.body())
        except SaidTwice as error:
            raise unread(error) from None


class JsonRoute(APIRoute):
    """A route whose JSON body, if it takes one, may not repeat a member."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def handle_json(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return handle_json
