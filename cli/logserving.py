"""`kameng log-server`: one service's log, for all who read it."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer
from sqlalchemy.exc import DBAPIError, NoResultFound

from cli.common import (
    AmqpUrl,
    DatabaseUrl,
    HealthFile,
    HealthHost,
    HealthPort,
    fail,
    known,
    needed,
)
from shared.broker.log_server import LogServer
from shared.eventstore.engines import is_outage, open_engine
from shared.eventstore.log import read_head
from shared.runtime.settings import own_url
from shared.telemetry import metrics
from shared.telemetry.logs import configure_logs
from shared.telemetry.serving import HealthServer, Reading


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a log server needs, and how far the log reaches."""

    database: bool
    broker: bool
    head: int

    @property
    def ready(self) -> bool:
        return self.database and self.broker


def log_server(
    service: Annotated[str, typer.Argument(help="Whose log. 服务名。")],
    database_url: DatabaseUrl = "",
    amqp_url: AmqpUrl = "",
    health_host: HealthHost = "127.0.0.1",
    health_port: HealthPort = 0,
    health_file: HealthFile = None,
) -> None:
    """Announce the head of a service's log, and answer pulls; until told to stop. 日志服务。"""
    configure_logs(service=service)
    needed(KAMENG_DATABASE_URL=database_url, KAMENG_AMQP_URL=amqp_url)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    engine = open_engine(own_url(database_url, known(service)), writer=False)
    server = LogServer(service, engine, amqp_url)
    try:
        health = health_of(server, engine, host=health_host, port=health_port, file=health_file)
    except OSError as error:
        fail(f"{health_host}:{health_port} can't be listened on: {error.strerror}.")
    with health:
        server.run(stop)
    engine.dispose()


def health_of(server: LogServer, engine: sa.Engine, *, host: str, port: int, file: Path | None) -> HealthServer:
    """Probes and metrics of a log server."""
    readings = (
        Reading(metrics.LOG_SERVER_HEAD, lambda: server.head),
        Reading(metrics.LOG_SERVER_CONNECTED, lambda: server.connected),
        Reading(metrics.LOG_SERVER_PULLS, lambda: server.answered),
    )
    look = partial(readiness, server, engine)
    return HealthServer(server.service, "log-server", look, readings, host=host, port=port, file=file)


def readiness(server: LogServer, engine: sa.Engine) -> Readiness:
    """Asks the database; without one, `head` is the one last seen."""
    try:
        with engine.connect() as connection:
            head = read_head(connection).position
    except NoResultFound:  # its writer has not been there yet
        return Readiness(False, server.connected, server.head)
    except DBAPIError as error:
        if not is_outage(error):
            raise
        return Readiness(False, server.connected, server.head)
    return Readiness(True, server.connected, head)
