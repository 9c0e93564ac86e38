"""`kameng webhooks`: posts events to registered webhook endpoints."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from cli.common import (
    AmqpUrl,
    DatabaseUrl,
    HealthFile,
    HealthHost,
    HealthPort,
    fail,
    needed,
)
from services import read_settings
from services.gateway import metrics
from services.gateway.webhooks.dispatcher import Dispatcher
from services.gateway.webhooks.running import Turns, dispatcher_of, readings
from shared.eventstore.engines import is_outage, open_engine
from shared.readside.broker_backend import BrokerBackend
from shared.runtime.clock import Clock
from shared.runtime.ids import Ids
from shared.runtime.service import HostContext
from shared.runtime.settings import own_url
from shared.security.secrets import Secrets
from shared.telemetry.logs import configure_logs
from shared.telemetry.serving import HealthServer, Reading

SERVICE = "gateway"


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a dispatcher has its database, and how many of its lanes can't go on."""

    database: bool
    leads: bool
    held: int

    @property
    def ready(self) -> bool:
        return self.database


def webhooks(
    database_url: DatabaseUrl = "",
    amqp_url: AmqpUrl = "",
    health_host: HealthHost = "127.0.0.1",
    health_port: HealthPort = 0,
    health_file: HealthFile = None,
) -> None:
    """Post events to the registered webhook endpoints, until told to stop. 推送 Webhook。

    The database is the gateway's. Several may run: one posts, the others stand by.
    """
    configure_logs(service=SERVICE)
    needed(KAMENG_DATABASE_URL=database_url, KAMENG_AMQP_URL=amqp_url)
    settings = read_settings()
    context = HostContext(settings, Clock(), Ids(), Secrets(settings.var / "secrets"))
    engine = open_engine(own_url(database_url, SERVICE), writer=False)
    with BrokerBackend(SERVICE, engine, amqp_url, context) as backend:
        dispatcher = dispatcher_of(backend, engine)
        turns = Turns(dispatcher, engine)
        samples = (
            *readings(dispatcher, context.clock.now),
            Reading(metrics.WEBHOOK_LEADS, lambda: turns.leads),
        )
        try:
            health = HealthServer(
                SERVICE,
                "webhooks",
                lambda: readiness(dispatcher, turns, engine),
                samples,
                host=health_host,
                port=health_port,
                file=health_file,
            )
        except OSError as error:
            fail(f"{health_host}:{health_port} can't be listened on: {error.strerror}.")
        with health:
            asyncio.run(_until_stopped(turns))


async def _until_stopped(turns: Turns) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await turns.run(stop)


def readiness(dispatcher: Dispatcher, turns: Turns, engine: sa.Engine) -> Readiness:
    """Queries the database."""
    held = len(dispatcher.held)
    try:
        with engine.connect() as connection:
            connection.execute(sa.select(sa.literal(1)))
    except DBAPIError as error:
        if not is_outage(error):
            raise
        return Readiness(False, turns.leads, held)
    return Readiness(True, turns.leads, held)
