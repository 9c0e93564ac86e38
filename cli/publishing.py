"""`kameng publisher`: publishes one service's log as CloudEvents."""

from __future__ import annotations

import time
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
from shared.broker.publisher import Publisher
from shared.telemetry import metrics
from shared.telemetry.serving import HealthServer, Reading


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a publisher has what it needs, the position of the log's head, and the last published position. A standby
    needs no broker yet.

    `diverged` says how the log differs from what was published of it; empty while it does not.
    """

    database: bool
    broker: bool
    leads: bool
    head: int
    position: int
    held: str | None
    diverged: str

    @property
    def ready(self) -> bool:
        return self.database and (self.broker or not self.leads) and not self.diverged


def publisher(
    service: Annotated[str, typer.Argument(help="Whose log. 服务名。")],
    database_url: DatabaseUrl = "",
    amqp_url: AmqpUrl = "",
    require_binding: Annotated[
        bool,
        typer.Option(
            "--require-binding",
            envvar="KAMENG_PUBLISHER_REQUIRE_BINDING",
            help="Wait with an event until a queue is bound for it. 无绑定队列则等待。",
        ),
    ] = False,
    health_host: HealthHost = "127.0.0.1",
    health_port: HealthPort = 0,
    health_file: HealthFile = None,
) -> None:
    """Publish a service's events to the outside as CloudEvents, until told to stop. 对外发布事件。"""

    def start(engine: sa.Engine) -> tuple[Publisher, HealthServer]:
        publisher = Publisher(service, engine, amqp_url, require_binding=require_binding)
        return publisher, health_of(publisher, engine, host=health_host, port=health_port, file=health_file)

    run_until_stopped(service, database_url, amqp_url, f"{health_host}:{health_port}", start)


def health_of(publisher: Publisher, engine: sa.Engine, *, host: str, port: int, file: Path | None) -> HealthServer:
    """Probes and metrics of a publisher."""
    readings = (
        Reading(metrics.PUBLISHER_HEAD, lambda: publisher.head),
        Reading(metrics.PUBLISHER_POSITION, lambda: publisher.position),
        Reading(metrics.PUBLISHER_OLDEST_SECONDS, lambda: _age(publisher)),
        Reading(metrics.PUBLISHER_LEADS, lambda: publisher.leads),
        Reading(metrics.PUBLISHER_CONNECTED, lambda: publisher.connected),
        Reading(metrics.PUBLISHER_HELD, lambda: publisher.held is not None),
        Reading(metrics.PUBLISHER_DIVERGED, lambda: bool(publisher.diverged)),
        Reading(metrics.PUBLISHER_EVENTS, lambda: publisher.events),
    )
    look = partial(readiness, publisher, engine)
    return HealthServer(publisher.service, "publisher", look, readings, host=host, port=port, file=file)


def _age(publisher: Publisher) -> float:
    oldest = publisher.oldest
    return max(0.0, time.time() - oldest.timestamp()) if oldest else 0.0


def readiness(publisher: Publisher, engine: sa.Engine) -> Readiness:
    """Queries the database, and the broker if the publisher is not connected. Without a database, `head` is the last
    known position."""
    head, broker = position_of_head(engine), publisher.finds_broker()
    return Readiness(
        head is not None,
        broker,
        publisher.leads,
        publisher.head if head is None else head,
        publisher.position,
        str(publisher.held) if publisher.held else None,
        publisher.diverged,
    )
