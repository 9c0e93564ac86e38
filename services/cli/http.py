"""Serving the HTTP API over whichever host is behind it."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Sequence

import structlog
import uvicorn
from sqlalchemy.exc import DBAPIError, ProgrammingError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_exponential

from services.cli.common import HTTP_END_SECONDS, console
from services.gateway.api import create_app
from services.gateway.api.watch import Watch
from services.gateway.bootstrap import ensure_administrator
from shared.eventlog.engines import is_outage
from shared.hosting.backend import Backend, Busy
from shared.hosting.collecting import collect_seldom
from shared.telemetry.serving import Reading, Readings

# Longer than clients keep idle connections, or a request may cross the closing of its connection.
KEEP_ALIVE_SECONDS = 75
LONGEST_PAUSE_SECONDS = 2
logger = structlog.get_logger()


class _Server(uvicorn.Server):
    """Answers those at once, when it is told to end, whose answers are held back."""

    def __init__(self, config: uvicorn.Config, watch: Watch) -> None:
        super().__init__(config)
        self._watch = watch

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._watch.close()
        await super().shutdown(sockets)


def http_server(backend: Backend, told: Sequence[Reading] = ()) -> uvicorn.Server:
    """The API's server, not yet started; setting its `should_exit` ends it. `told` is told with its metrics."""
    app = create_app(backend)
    app.state.registry.register(Readings("gateway", told))
    proxies = backend.settings.trusted_proxies
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=HTTP_END_SECONDS,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
    )
    server = _Server(config, app.state.gate.watch)

    def leave(*_: object) -> None:
        server.should_exit = True

    # Uvicorn raises the signal again when it has shut down: it must not end us before the services have settled.
    signal.signal(signal.SIGTERM, leave)
    return server


def serve_api(backend: Backend, server: uvicorn.Server, listening: socket.socket, address: str) -> None:
    """Serve until told to end; shows the first administrator's password once.

    What that needs, the gateway's database and its writer, is waited for.
    """
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(_serve(backend, server, listening, address))


async def _serve(backend: Backend, server: uvicorn.Server, listening: socket.socket, address: str) -> None:
    password = await administrator(backend, server)
    if server.should_exit:
        return
    console.print(f"[bold]Kameng 卡盟[/bold]  {address}  (API: {address}/docs)")
    if password:
        console.print(
            f"Administrator 管理员: [bold]admin[/bold]  password 密码: [bold]{password}[/bold]  (shown once 仅显示一次)"
        )
    collect_seldom()
    await server.serve(sockets=[listening])


async def administrator(backend: Backend, server: uvicorn.Server) -> str | None:
    """The password of the first administrator, if one had to be made; tries until the gateway's writer takes it, or the
    server is told to end."""
    retrying = AsyncRetrying(
        retry=retry_if_exception(_is_not_there_yet),
        wait=wait_exponential(multiplier=0.1, max=LONGEST_PAUSE_SECONDS),
        stop=lambda _: server.should_exit,
        before_sleep=_tell,
        retry_error_callback=lambda _: None,
    )
    return await retrying(ensure_administrator, backend)


def _is_not_there_yet(error: BaseException) -> bool:
    """Whether database, tables or writer may come by waiting."""
    if isinstance(error, DBAPIError):
        return is_outage(error) or isinstance(error, ProgrammingError)
    return isinstance(error, TimeoutError | Busy)


def _tell(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning(
        "waiting for the gateway's database and writer", attempt=state.attempt_number, error=type(error).__name__
    )
