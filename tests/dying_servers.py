"""Servers that go away while connections to them open."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
CALLS = 8


async def call_dying_servers(call: Callable[[int], Awaitable[T]], servers: int) -> list[T]:
    """Call each server at its port, CALLS times at once. It accepts nobody, and closes while the connections open."""
    results: list[T] = []
    for _ in range(servers):
        with socket.create_server(("127.0.0.1", 0)) as dying:
            calls = [asyncio.ensure_future(call(dying.getsockname()[1])) for _ in range(CALLS)]
            await asyncio.sleep(0)
            await asyncio.to_thread(dying.close)
        results += await asyncio.gather(*calls)
    return results
