"""Limits the size of requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.http.problems import Problem

MEGABYTE = 1024 * 1024
JSON_LIMIT = 256 * 1024  # a body of a wrong form is validated field by field
IMPORT_LIMIT = 64 * MEGABYTE
# A client that sends more than this beyond the limit is cut off without an answer.
MOST_DRAINED = 64 * MEGABYTE
IMPORTS = "/v1/imports/"


def limit_of(path: str) -> int:
    return IMPORT_LIMIT if path.startswith(IMPORTS) else JSON_LIMIT


def _too_large(limit: int) -> HTTPException:
    facts = {"limit_bytes": limit}
    return Problem(413, "too-large", "the request is too large", facts, {"Connection": "close"})


async def _drain(receive: Receive, message: Message) -> None:
    """Read and drop the rest of the body, because many clients read no answer before they have sent everything."""
    drained = 0
    while message.get("more_body", False) and drained <= MOST_DRAINED:
        message = await receive()
        drained += len(message.get("body", b""))


class BodyLimit:
    """Counts a request's body as it arrives, and refuses it beyond the limit.

    Before the body of an import exceeds the usual limit, `admit(request)` is called. It raises Problem for a caller who
    may not import, so that nothing of their file is stored.
    """

    def __init__(self, app: ASGIApp, admit: Callable[[Request], Awaitable[None]]) -> None:
        self._app, self._admit = app, admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit, received = limit_of(scope["path"]), 0
        is_admitted = limit <= JSON_LIMIT

        async def counted() -> Message:
            nonlocal received, is_admitted
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                await _drain(receive, message)
                raise _too_large(limit)
            if received > JSON_LIMIT and not is_admitted:
                try:
                    await self._admit(Request(scope))
                except HTTPException:
                    await _drain(receive, message)
                    raise
                is_admitted = True
            return message

        await self._app(scope, counted, send)
