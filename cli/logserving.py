"""`kameng log-server`: serves one service's log to its readers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from cli.common import (
    AmqpUrl,
    DatabaseUrl,
    HealthFile,
    HealthHost,
    HealthPort,
)
from cli.log_processes import position_of_head, run_until_stopped
from shared.broker.log_server import LogServer
from shared.telemetry import metrics
from shared.telemetry.serving import HealthServer, Reading


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a log server has what it needs, and the position of the log's head."""

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

    def start(engine: sa.Engine) -> tuple[LogServer, HealthServer]:
        server = LogServer(service, engine, amqp_url)
        return server, health_of(server, engine, host=health_host, port=health_port, file=health_file)

    run_until_stopped(service, database_url, amqp_url, f"{health_host}:{health_port}", start)


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
    """Queries the database. Without one, `head` is the last known position."""
    head = position_of_head(engine)
    return Readiness(head is not None, server.connected, server.head if head is None else head)
