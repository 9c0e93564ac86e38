"""How large a request may be."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.problems import Problem

MEGABYTE = 1024 * 1024
JSON_LIMIT = 256 * 1024  # what is not of the right form is gone through field by field
IMPORT_LIMIT = 64 * MEGABYTE
# Whoever sends more than this beyond the limit is cut off without an answer.
MOST_DRAINED = 64 * MEGABYTE
IMPORTS = "/v1/imports/"


def limit_of(path: str) -> int:
    return IMPORT_LIMIT if path.startswith(IMPORTS) else JSON_LIMIT


def _too_large(limit: int) -> HTTPException:
    facts = {"limit_bytes": limit}
    return Problem(413, "too-large", "the request is larger than allowed here", facts, {"Connection": "close"})


async def _drain(receive: Receive) -> None:
    """Read the rest and drop it: many clients read no answer before they have sent everything."""
    drained = 0
    while drained <= MOST_DRAINED:
        message = await receive()
        drained += len(message.get("body", b""))
        if not message.get("more_body", False):
            return


class BodyLimit:
    """Counts a request's body as it arrives, and refuses it beyond the limit."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit, received = limit_of(scope["path"]), 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                if message.get("more_body", False):
                    await _drain(receive)
                raise _too_large(limit)
            return message

        await self._app(scope, counted, send)
