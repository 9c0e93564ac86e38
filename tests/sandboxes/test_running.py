import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event
from urllib.parse import urlsplit

import httpx
from fastapi import FastAPI

from sandboxes.running import run_server
from tests.dying_servers import call_dying_servers


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


def test_a_callback_to_a_server_killed_while_the_connection_opens_fails_as_a_transport_error() -> None:
    app = FastAPI()

    @app.post("/call-back")
    async def call_back() -> list[str]:
        """The errors of callbacks to servers that die while the connection opens, other than httpx's own."""
        async with httpx.AsyncClient(trust_env=False) as client:

            async def call(port: int) -> str:
                try:
                    await client.post(f"http://127.0.0.1:{port}/", content=b"{}")
                except httpx.TransportError:
                    return ""
                except Exception as error:  # noqa: BLE001 - whatever comes is what the test is about
                    return repr(error)
                return "answered"

            return [error for error in await call_dying_servers(call, 40) if error]

    with run_server(app, "sandbox") as url:
        assert httpx.post(f"{url}/call-back", timeout=60).json() == []
