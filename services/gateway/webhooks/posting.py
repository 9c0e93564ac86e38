"""One HTTP POST to an endpoint, and its result."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from urllib.parse import urlsplit

import httpcore

from services.gateway.webhooks.addresses import (
    AddressRefused,
    CheckedNetwork,
    ConnectionNotAllowed,
    Resolve,
    check_url,
    resolve,
)

SECONDS = 15.0
CONNECT_SECONDS = 5.0
MOST_READ = 4_096
SHOWN = 200
IDLE_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 100_000


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a POST. `status` is the HTTP status, None without an answer; then `error` says why. `text` is the
    beginning of the answer.

    `asked_seconds` is the receiver's `Retry-After` in seconds.
    """

    status: int | None
    error: str | None
    text: str
    seconds: float
    asked_seconds: int | None = None

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Poster:
    """Posts to checked addresses, follows no redirect, uses no proxy, reads little and waits for a bounded time."""

    def __init__(self, *, private: bool, resolver: Resolve = resolve, tls: ssl.SSLContext | None = None) -> None:
        """`private` is as in `check_url`. `tls` has the trusted authorities; the system's by default."""
        self._private = private
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or ssl.create_default_context(),
            max_connections=None,
            max_keepalive_connections=100,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=CheckedNetwork(resolver, private=private),
        )

    async def close(self) -> None:
        await self._pool.aclose()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post a body. Raises nothing that the other side can cause."""
        began = perf_counter()
        try:
            check_url(url, private=self._private)
            async with asyncio.timeout(SECONDS):
                return await self._post(url, headers, body, began)
        except (AddressRefused, ConnectionNotAllowed):
            error = "address-refused"
        except (TimeoutError, httpcore.TimeoutException):
            error = "timeout"
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as failed:
            error = _kind(failed)
        return Answer(None, error, "", perf_counter() - began)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes, began: float) -> Answer:
        timeouts = {"connect": CONNECT_SECONDS, "read": SECONDS, "write": SECONDS, "pool": SECONDS}
        sent = {
            **headers,
            "host": urlsplit(url).netloc,
            "content-length": str(len(body)),
            "accept-encoding": "identity",
        }
        async with self._pool.stream(
            "POST", url, headers=list(sent.items()), content=body, extensions={"timeout": timeouts}
        ) as response:
            asked = {name.lower(): value for name, value in response.headers}.get(b"retry-after")
            begin = b""
            async for part in response.aiter_stream():
                begin += part[: MOST_READ - len(begin)]
                if len(begin) >= MOST_READ:
                    break  # what is left unread closes the connection
        return Answer(response.status, None, _shown(begin), perf_counter() - began, _seconds(asked))


def _kind(error: Exception) -> str:
    return "tls" if isinstance(error.__cause__ or error.__context__, ssl.SSLError) else "connection"


def _shown(begin: bytes) -> str:
    text = begin.decode(errors="replace")[:SHOWN]
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def _seconds(text: bytes | None) -> int | None:
    if text is None or not text.isdigit() or len(text) > 6:
        return None
    return min(int(text), LONGEST_WAIT_SECONDS)
