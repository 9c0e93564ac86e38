"""HTTP/1.1 over one kept connection, as cheap as it gets: what is measured is the server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import httptools
import orjson

Answer = tuple[int, Any]


class Connection(asyncio.Protocol):
    """One request at a time. Use it as a context, inside which it is connected."""

    def __init__(self, host: str, port: int, source: str) -> None:
        self._host, self._port, self._source = host, port, source
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None

    async def __aenter__(self) -> Connection:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: self, self._host, self._port, local_addr=(self._source, 0))
        self._transport = transport
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    async def request(self, method: str, path: str, headers: Mapping[str, str], body: object = None) -> Answer:
        """Status and body, parsed where it is JSON. Raises ConnectionError when the server hangs up."""
        assert self._transport is not None
        content = b"" if body is None else orjson.dumps(body)
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}:{self._port}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if content:
            lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        self._answer = asyncio.get_running_loop().create_future()
        self._parser, self._body = httptools.HttpResponseParser(self), []
        self._transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(f"the server hung up: {exc!r}"))

    # What the parser tells

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), _parsed(b"".join(self._body))))


def _parsed(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return content.decode(errors="replace")
