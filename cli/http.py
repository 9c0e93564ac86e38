"""Serves the HTTP API, for any host."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
import sqlite3
from collections.abc import Sequence
from functools import partial
from ipaddress import IPv4Network, ip_network
from typing import cast

import structlog
import uvicorn
from sqlalchemy.exc import DBAPIError, ProgrammingError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_exponential

from cli.common import HTTP_END_SECONDS, console, show_administrator
from cli.connections import Connection, Limits
from services.gateway.access.bootstrap import ensure_administrator
from services.gateway.http.app import create_app
from services.gateway.orders.long_poll import LongPoll
from services.gateway.settings import GatewaySettings
from shared.eventstore.engines import is_outage
from shared.readside.backend import Backend, Busy
from shared.runtime.garbage import collect_seldom
from shared.telemetry.serving import Reading, Readings

# Longer than clients keep idle connections, or a request may cross the closing of its connection.
KEEP_ALIVE_SECONDS = 75
LONGEST_PAUSE_SECONDS = 2
TICKS_A_SECOND = 10
MOST_FILES, OTHER_FILES = 65_536, 256
logger = structlog.get_logger()


class _Server(uvicorn.Server):
    """A server that, when it ends, answers waiting long polls at once."""

    def __init__(self, config: uvicorn.Config, watch: LongPoll) -> None:
        super().__init__(config)
        self._watch = watch

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_A_SECOND == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.sweep(now)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._watch.close()
        await super().shutdown(sockets)


def http_server(backend: Backend, readings: Sequence[Reading] = ()) -> uvicorn.Server:
    """The API's server, not yet started. Setting its `should_exit` ends it. It exports `readings` with its metrics."""
    app = create_app(backend)
    app.state.registry.register(Readings("gateway", readings))
    settings = backend.settings.of(GatewaySettings)
    proxies = settings.trusted_proxies
    speaking_for_many = ",".join(filter(None, (proxies, settings.site_addresses)))
    limits = Limits(settings.connections_per_address, speaking_for_many, most_connections())
    config = uvicorn.Config(
        app,
        http=cast(type[asyncio.Protocol], partial(Connection, limits=limits)),
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=HTTP_END_SECONDS,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=in_both_families(proxies),
    )
    server = _Server(config, app.state.context.watch)

    def leave(*_: object) -> None:
        server.should_exit = True

    # Uvicorn raises the signal again after its shutdown. That must not end the process before the services have ended.
    signal.signal(signal.SIGTERM, leave)
    return server


def most_connections() -> int:
    """Raise the limit of open files as far as possible, and return how many of them connections may use."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = MOST_FILES if soft == resource.RLIM_INFINITY else soft
    return max(files - OTHER_FILES, files // 2)


def in_both_families(proxies: str) -> list[str]:
    """The addresses and networks in a comma-separated text. IPv4 ones are added in the form of a dual-stack socket as
    well: `::ffff:10.0.0.1`."""
    networks = [ip_network(part.strip()) for part in proxies.split(",") if part.strip()]
    mapped = [f"::ffff:{one.network_address}/{96 + one.prefixlen}" for one in networks if isinstance(one, IPv4Network)]
    return [*map(str, networks), *mapped]


def serve_api(backend: Backend, server: uvicorn.Server, listening: socket.socket, address: str) -> None:
    """Serve until told to end. Shows the first administrator's password once, and waits for the gateway's database and
    writer to make the administrator.
    """
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(_serve(backend, server, listening, address))


async def _serve(backend: Backend, server: uvicorn.Server, listening: socket.socket, address: str) -> None:
    await administrator(backend, server)
    if server.should_exit:
        return
    console.print(f"[bold]Kameng 卡盟[/bold]  {address}  (API: {address}/docs)")
    collect_seldom()
    await server.serve(sockets=[listening])


async def administrator(backend: Backend, server: uvicorn.Server) -> None:
    """Make the first administrator if there is none, and show the password. Retries until the gateway's writer accepts
    it or the server is told to end."""
    retrying = AsyncRetrying(
        retry=retry_if_exception(_is_not_there_yet),
        wait=wait_exponential(multiplier=0.1, max=LONGEST_PAUSE_SECONDS),
        stop=lambda _: server.should_exit,
        before_sleep=_log_retry,
        retry_error_callback=lambda _: None,
    )
    await retrying(ensure_administrator, backend, show_administrator)


def _is_not_there_yet(error: BaseException) -> bool:
    """Whether waiting may help: the database, its tables or the writer are not there yet."""
    if isinstance(error, DBAPIError):
        if isinstance(error.orig, sqlite3.Error):
            return False  # a file does not come back by itself
        return is_outage(error) or isinstance(error, ProgrammingError)
    return isinstance(error, TimeoutError | Busy)


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning(
        "waiting for the gateway's database and writer", attempt=state.attempt_number, error=type(error).__name__
    )
