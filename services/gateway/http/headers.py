"""Headers that say one thing: two that differ say nothing that can be done."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.http.problems import document
from shared.security.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER

# Of all that the API acts on, these; X-Forwarded-For and Prefer are lists, and several of them are one (RFC 9110, 5.3).
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
    """Refuses a request (422 `duplicate-header`) with one of these headers several times, unless all say the same."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (name := _twice(scope)) is None:
            await self._app(scope, receive, send)
            return
        detail = f"the header {name} comes more than once, and says different things"
        await document(Request(scope), 422, "duplicate-header", detail, {"header": name})(scope, receive, send)


def _twice(scope: Scope) -> str | None:
    told: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in _SINGLE and told.setdefault(name, value) != value:
            return _SINGLE[name]
    return None
