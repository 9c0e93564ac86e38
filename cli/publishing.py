"""`kameng publisher`: one service's log as CloudEvents, for subscribers outside."""

from __future__ import annotations

import signal
import threading
import time
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
from shared.broker.publisher import Publisher
from shared.eventstore.engines import is_outage, open_engine
from shared.eventstore.log import read_head
from shared.runtime.settings import own_url
from shared.telemetry import metrics
from shared.telemetry.logs import configure_logs
from shared.telemetry.serving import HealthServer, Reading


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a publisher needs, and how far the log and what is published of it reach; a standby needs no broker yet.

    `diverged` says how the log differs from what the outside was told of it; empty while it does not.
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
    configure_logs(service=service)
    needed(KAMENG_DATABASE_URL=database_url, KAMENG_AMQP_URL=amqp_url)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    engine = open_engine(own_url(database_url, known(service)), writer=False)
    one = Publisher(service, engine, amqp_url, require_binding=require_binding)
    try:
        health = health_of(one, engine, host=health_host, port=health_port, file=health_file)
    except OSError as error:
        fail(f"{health_host}:{health_port} can't be listened on: {error.strerror}.")
    with health:
        one.run(stop)
    engine.dispose()


def health_of(one: Publisher, engine: sa.Engine, *, host: str, port: int, file: Path | None) -> HealthServer:
    """Probes and metrics of a publisher."""
    readings = (
        Reading(metrics.PUBLISHER_HEAD, lambda: one.head),
        Reading(metrics.PUBLISHER_POSITION, lambda: one.position),
        Reading(metrics.PUBLISHER_OLDEST_SECONDS, lambda: _age(one)),
        Reading(metrics.PUBLISHER_LEADS, lambda: one.leads),
        Reading(metrics.PUBLISHER_CONNECTED, lambda: one.connected),
        Reading(metrics.PUBLISHER_HELD, lambda: one.held is not None),
        Reading(metrics.PUBLISHER_DIVERGED, lambda: bool(one.diverged)),
        Reading(metrics.PUBLISHER_EVENTS, lambda: one.events),
    )
    look = partial(readiness, one, engine)
    return HealthServer(one.service, "publisher", look, readings, host=host, port=port, file=file)


def _age(one: Publisher) -> float:
    oldest = one.oldest
    return max(0.0, time.time() - oldest.timestamp()) if oldest else 0.0


def readiness(one: Publisher, engine: sa.Engine) -> Readiness:
    """Asks the database, and a broker it is not with; without a database `head` is the one last seen."""
    held, broker, answers, head = str(one.held) if one.held else None, one.finds_broker(), False, one.head
    try:
        with engine.connect() as connection:
            head, answers = read_head(connection).position, True
    except NoResultFound:
        pass  # its writer has not been there yet
    except DBAPIError as error:
        if not is_outage(error):
            raise
    return Readiness(answers, broker, one.leads, head, one.position, held, one.diverged)
