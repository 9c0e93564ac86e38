"""Runs the sandbox payment channel and suppliers in threads of this process, each with its own real HTTP server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import uvicorn
from fastapi import FastAPI

from sandboxes import LOOP
from sandboxes.channel import create_channel
from sandboxes.supplier import create_supplier
from shared.security.secrets import Secrets

CHANNEL = "sandbox-pay"
SUPPLIERS = ("alpha", "beta")


@contextmanager
def run_server(app: FastAPI, name: str) -> Iterator[str]:
    """Serve an application on a free port of this machine. Gives its address."""
    # Named protocol: asyncio turns Nagle's delay off only on sockets that say they are TCP.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen()  # the server comes to it in its own time; until it does, whoever calls must wait, not be refused
    # Kept open longer than by clients, or a request may cross the closing of its connection.
    server = uvicorn.Server(
        uvicorn.Config(app, loop=LOOP, log_config=None, log_level="warning", access_log=False, timeout_keep_alive=75)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name=name, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listening.close()


@contextmanager
def run_sandboxes(secrets: Secrets, public_url: str) -> Iterator[dict[str, str]]:
    """Serve the channel and the suppliers. Gives their addresses by name; the channel calls back to `public_url`."""
    with ExitStack() as stack:
        channel = create_channel(CHANNEL, secrets.get(f"channel-{CHANNEL}"), public_url)
        addresses = {CHANNEL: stack.enter_context(run_server(channel, CHANNEL))}
        for name in SUPPLIERS:
            supplier = create_supplier(name, secrets.get(f"supplier-{name}"))
            addresses[name] = stack.enter_context(run_server(supplier, name))
        yield addresses
