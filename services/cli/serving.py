"""`kameng serve`: everything in one process, until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated

import typer
import uvicorn

from sandboxes.running import CHANNEL, SUPPLIERS, run_sandboxes
from services.cli.common import VAR, Var, console, fail, services_of
from services.gateway.api import create_app
from services.gateway.bootstrap import ensure_administrator
from shared.hosting.embedded import Embedded, InUse
from shared.hosting.settings import ChannelSettings, Settings, SupplierSettings
from shared.security.secrets import Secrets
from shared.telemetry.logs import configure_logs

# Longer than clients keep idle connections, or a request may cross the closing of its connection.
KEEP_ALIVE_SECONDS = 75


def serve(
    context: typer.Context,
    var: Var = VAR,
    host: Annotated[str, typer.Option(envvar="KAMENG_HOST", help="Address to listen on. 监听地址。")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="KAMENG_PORT", help="Port to listen on; 0 picks a free one. 监听端口。")
    ] = 8000,
) -> None:
    """Run the whole platform and stay. 启动整个平台。

    Suppliers and payment channels come from KAMENG_SUPPLIERS and KAMENG_CHANNELS; when neither is set, sandboxes run
    beside it, so that top-ups and payments can be tried.
    """
    configure_logs()
    listening = _listen(host, port)
    address = f"http://{host}:{listening.getsockname()[1]}"
    settings = Settings(var=var, host=host, port=listening.getsockname()[1])
    if "public_url" not in settings.model_fields_set:
        settings = settings.model_copy(update={"public_url": address})
    with ExitStack() as stack:
        if not settings.suppliers and not settings.channels:
            settings = stack.enter_context(_with_sandboxes(settings))
        try:
            host_ = Embedded(services_of(context), settings)
        except InUse as error:
            fail(f"{error}. Stop it first, or give another folder with --var.")
        _serve(host_, listening, address)


def _listen(host: str, port: int) -> socket.socket:
    # Named protocol: asyncio turns Nagle's delay off only on sockets that say they are TCP.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        fail(f"{host}:{port} can't be listened on: {error.strerror}. Give another port with --port.")
    return listening


@contextmanager
def _with_sandboxes(settings: Settings) -> Iterator[Settings]:
    with run_sandboxes(Secrets(settings.var / "secrets"), settings.public_url) as running:
        yield settings.model_copy(
            update={
                "suppliers": {name: SupplierSettings(url=running[name]) for name in SUPPLIERS},
                "channels": {CHANNEL: ChannelSettings(url=running[CHANNEL])},
            }
        )


def _serve(host: Embedded, listening: socket.socket, address: str) -> None:
    host.start()
    told = host.settings.var / "serve.json"
    config = uvicorn.Config(
        create_app(host),
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
    host.on_broken = leave
    if host.broken:
        leave()
    try:
        told.write_text(json.dumps({"pid": os.getpid(), "address": address}))
        asyncio.run(_run(host, server, listening, address))
    finally:
        told.unlink(missing_ok=True)
        host.stop()
    if host.broken:
        fail(f"the {host.broken} service broke: the log says why. Nothing accepted is lost; start again.", code=70)


async def _run(host: Embedded, server: uvicorn.Server, listening: socket.socket, address: str) -> None:
    password = await ensure_administrator(host)
    console.print(f"[bold]Kameng 卡盟[/bold]  {address}  (API: {address}/docs)")
    if password:
        console.print(
            f"Administrator 管理员: [bold]admin[/bold]  password 密码: [bold]{password}[/bold]  (shown once 仅显示一次)"
        )
    if CHANNEL in host.settings.channels:
        console.print(
            f"Payment channel [bold]{CHANNEL}[/bold] and suppliers {', '.join(SUPPLIERS)} are sandboxes. 沙箱。"
        )
    await server.serve(sockets=[listening])
