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


def test_a_callback_to_a_server_killed_while_the_connection_opens_fails_as_a_transport_error() -> None:
    app = FastAPI()

    @app.post("/call-back")
    async def call_back() -> list[str]:
        """Calls servers that accept nobody and go away in the middle of it; answers what else than refusal came."""
        strange: list[str] = []

        async def call(port: int) -> None:
            try:
                await client.post(f"http://127.0.0.1:{port}/", content=b"{}")
            except httpx.TransportError:
                pass
            except Exception as error:  # noqa: BLE001 - whatever comes is what the test is about
                strange.append(repr(error))

        async with httpx.AsyncClient(trust_env=False) as client:
            for _ in range(40):
                with socket.create_server(("127.0.0.1", 0)) as dying:
                    calls = [asyncio.ensure_future(call(dying.getsockname()[1])) for _ in range(8)]
                    await asyncio.sleep(0)
                    await asyncio.to_thread(dying.close)
                await asyncio.gather(*calls)
        return strange

    with run_server(app, "sandbox") as url:
        assert httpx.post(f"{url}/call-back", timeout=60).json() == []
