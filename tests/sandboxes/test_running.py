import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event
from urllib.parse import urlsplit

import httpx
from fastapi import FastAPI

from sandboxes.running import run_server


def test_whoever_calls_before_the_server_is_up_waits_and_is_not_refused() -> None:
    may_start = Event()

    @asynccontextmanager
    async def slow(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(may_start.wait)
        yield

    with run_server(FastAPI(lifespan=slow), "slow") as url:
        address = urlsplit(url)
        try:
            socket.create_connection((address.hostname, address.port)).close()
        finally:
            may_start.set()
        assert httpx.get(f"{url}/openapi.json").status_code == 200
