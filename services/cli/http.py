"""Serving the HTTP API over whichever host is behind it."""

from __future__ import annotations

import asyncio
import signal
import socket

import uvicorn

from sandboxes.running import CHANNEL, SUPPLIERS
from services.cli.common import console, fail
from services.gateway.api import create_app
from services.gateway.bootstrap import ensure_administrator
from shared.hosting.backend import Backend

# Longer than clients keep idle connections, or a request may cross the closing of its connection.
KEEP_ALIVE_SECONDS = 75


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Ends the command where it can't be had."""
    # Named protocol: asyncio turns Nagle's delay off only on sockets that say they are TCP.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        fail(f"{host}:{port} can't be listened on: {error.strerror}. Give another port with --port.")
    return listening


def http_server(backend: Backend) -> uvicorn.Server:
    """The API's server, not yet started; setting its `should_exit` ends it."""
    config = uvicorn.Config(
        create_app(backend),
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=10,
    )
    server = uvicorn.Server(config)

    def leave(*_: object) -> None:
        server.should_exit = True

    # Uvicorn raises the signal again when it has shut down: it must not end us before the services have settled.
    signal.signal(signal.SIGTERM, leave)
    return server


def serve_api(backend: Backend, server: uvicorn.Server, listening: socket.socket, address: str) -> None:
    """Serve until told to end; shows the first administrator's password once."""
    asyncio.run(_serve(backend, server, listening, address))


async def _serve(backend: Backend, server: uvicorn.Server, listening: socket.socket, address: str) -> None:
    password = await ensure_administrator(backend)
    console.print(f"[bold]Kameng 卡盟[/bold]  {address}  (API: {address}/docs)")
    if password:
        console.print(
            f"Administrator 管理员: [bold]admin[/bold]  password 密码: [bold]{password}[/bold]  (shown once 仅显示一次)"
        )
    if CHANNEL in backend.settings.channels:
        console.print(
            f"Payment channel [bold]{CHANNEL}[/bold] and suppliers {', '.join(SUPPLIERS)} are sandboxes. 沙箱。"
        )
    await server.serve(sockets=[listening])
