"""HTTP connections with limits, so that no caller can starve the others: of headers, of time, in number."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.values import identities

HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 10.0
BODY_SECONDS = 30.0
UNREAD_SECONDS = 60.0
SLOWEST = 16_000  # bytes a second, of what takes longer than BODY_SECONDS to come or UNREAD_SECONDS to go
LINGER_SECONDS = 2.0
logger = structlog.get_logger()


@dataclass
class Limits:
    """What the connections of one server share. `per_address` 0 is no limit; proxies, who speak for many, have none.
    Where there are more than `in_all`, 0 being no limit, those that have waited longest for a first head are ended.

    A head of more than HEAD_BYTES is answered 431. A head takes HEAD_SECONDS at most; a body BODY_SECONDS, and longer
    where it comes at SLOWEST; an answer UNREAD_SECONDS until it is read, and longer where it is read at SLOWEST.
    """

    per_address: int = 0
    proxies: str = ""
    in_all: int = 0
    now: Callable[[], float] = field(default=lambda: asyncio.get_running_loop().time())
    open: Counter[str] = field(default_factory=Counter)
    all: set[Connection] = field(default_factory=set)
    silent: dict[Connection, None] = field(default_factory=dict)  # that have sent no whole head, the oldest first

    def entered(self, connection: Connection) -> None:
        self.all.add(connection)
        self.silent[connection] = None
        if self.in_all and len(self.all) > self.in_all:
            logger.warning("too many connections", limit=self.in_all)
            self.left(oldest := next(iter(self.silent)))
            oldest.transport.abort()

    def left(self, connection: Connection) -> None:
        self.all.discard(connection)
        self.silent.pop(connection, None)

    def limits(self, address: str) -> bool:
        """Whether connections from this address are counted."""
        if not self.per_address or not address:
            return False
        networks = [ip_network(part.strip()) for part in self.proxies.split(",") if part.strip()]
        return not any(ip_address(address) in network for network in networks)


class Connection(HttpToolsProtocol):
    """One connection. `sweep` ends it when its time is over; the server calls that each second."""

    def __init__(self, *arguments: Any, limits: Limits, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = limits
        self._counted: str | None = None
        self._is_refused = False
        self._due: float | None = None  # until when what is being received must be here
        self._unread_since: float | None = None  # since when something of an answer has waited to be read,
        self._unread = self._read = 0  # how much of it does, and how much was seen to be read since
        self._head = self._around = self._body = 0

    # The transport's calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self._due = self._limits.now() + HEAD_SECONDS
        self._limits.entered(self)
        address = self.client[0] if self.client else ""
        if not self._limits.limits(address):
            return
        self._counted = identities.or_as_is(identities.network, address)
        self._limits.open[self._counted] += 1
        if self._limits.open[self._counted] > self._limits.per_address:
            logger.warning("too many connections from an address", limit=self._limits.per_address)
            self._refuse(429, "too-many-connections", "there are too many connections from this address")

    def connection_lost(self, exc: Exception | None) -> None:
        self._limits.left(self)
        if self._counted is not None:
            self._limits.open[self._counted] -= 1
            if not self._limits.open[self._counted]:
                del self._limits.open[self._counted]
            self._counted = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._around += len(data)
        if self._due is None and (self.cycle is None or self.cycle.response_complete):
            self._due = self._limits.now() + HEAD_SECONDS  # even where it is nothing yet, such as empty lines
        super().data_received(data)
        # Heads, trailers and the frames of chunks, whose parts the parser may still be gathering.
        if not self._is_refused and self._around > HEAD_BYTES + self._body:
            self._refuse_head()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread_since = None

    # The parser's

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head = self._body = 0
        self._due = self._limits.now() + HEAD_SECONDS

    def on_url(self, url: bytes) -> None:
        self._head += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head += len(name) + len(value) + 4
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._head > HEAD_BYTES:
            self._refuse_head()
        if not self._is_refused:
            self._limits.silent.pop(self, None)
            self._due = self._limits.now() + BODY_SECONDS
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._is_refused:
            return
        self._around -= len(body)
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._is_refused:
            return
        self._due, self._around = None, 0
        super().on_message_complete()

    # Ends

    def sweep(self, now: float) -> None:
        """End the connection if it has made others wait too long."""
        if self._is_read_too_slowly(now):
            self.transport.abort()
        elif self._due is None or self.transport.is_closing():
            return
        elif self._is_refused:
            if now > self._due:
                self.transport.abort()
        elif self.flow.read_paused:
            self._due = now + BODY_SECONDS  # it is we who do not read
        elif now > self._due + self._body / SLOWEST:
            self._refuse(408, "too-slow", "the request did not arrive in time")

    def _is_read_too_slowly(self, now: float) -> bool:
        """Whether what is still to be sent has waited for longer than its reader may take."""
        before, self._unread = self._unread, self.transport.get_write_buffer_size()
        if not self._unread:
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since, self._read = now, 0
        else:
            self._read += max(0, before - self._unread)
        return self._unread_since is not None and now > self._unread_since + UNREAD_SECONDS + self._read / SLOWEST

    def _refuse_head(self) -> None:
        self._refuse(431, "headers-too-large", f"a request's headers have at most {HEAD_BYTES} bytes")

    def _refuse(self, status: int, code: str, detail: str) -> None:
        self._is_refused = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.close()
            return
        self._answer(status, code, detail)
        # What still comes is dropped for a moment: were the connection closed, many would not read the answer.
        self.transport.write_eof()
        self._due = self._limits.now() + LINGER_SECONDS

    def _answer(self, status: int, code: str, detail: str) -> None:
        title = HTTPStatus(status).phrase
        problem = {"type": f"urn:kameng:problem:{code}", "title": title, "status": status, "detail": detail}
        body = json.dumps({**problem, "code": code, "facts": {}}).encode()
        head = f"HTTP/1.1 {status} {title}\r\ncontent-type: application/problem+json\r\nconnection: close\r\n"
        self.transport.write(head.encode() + b"content-length: %d\r\n\r\n%s" % (len(body), body))
