"""Refuses requests that repeat a header with different values."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.http.problems import document
from shared.security.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER

# All headers that the API acts on, except X-Forwarded-For and Prefer, which are lists and may repeat (RFC 9110, 5.3).
NAMES = (
    "Authorization",
    "Content-Type",
    "Device-Id",
    "Idempotency-Key",
    "Order-Secret",
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
)
_SINGLE = {name.lower().encode(): name for name in NAMES}


class SingleHeaders:
    """Refuses a request (422 `duplicate-header`) in which one of these headers has several values."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (name := _repeated(scope)) is None:
            await self._app(scope, receive, send)
            return
        detail = f"the header {name} comes more than once, with different values"
        await document(Request(scope), 422, "duplicate-header", detail, {"header": name})(scope, receive, send)


def _repeated(scope: Scope) -> str | None:
    values: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in _SINGLE and values.setdefault(name, value) != value:
            return _SINGLE[name]
    return None
