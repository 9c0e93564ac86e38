"""Parts of the cluster are killed, frozen and replaced in the middle of the load; no accepted order may notice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from demo.shop import Answer, until
from deploy.local.server import Server
from services import NAMES
from shared.messages.topology import inbox, log_exchange, pulls
from tests.acceptance.cluster.load import Load
from tests.acceptance.cluster.market import Fault, survives
from tests.acceptance.cluster.operations import OPERATIONS
from tests.platform.cluster import HTTP, ours
from tests.platform.market import ClusterMarket

BROKER_SECONDS, DATABASE_SECONDS = 30.0, 12.0


async def every_process_is_killed(market: ClusterMarket, load: Load) -> None:
    for service in NAMES:
        await asyncio.to_thread(market.platform.restart, f"{service}-writer", f"{service}-log-server")
        await load.further(2)
    before = load.outcomes.again.total()
    await asyncio.to_thread(market.platform.restart, HTTP)
    await load.further(1)
    assert load.outcomes.again.total() > before, "no request was under way when the gateway died"


async def the_broker_is_killed_and_loses_its_disk(market: ClusterMarket, load: Load) -> None:
    broker = ours(market.platform.servers.rabbitmq)
    await asyncio.to_thread(_end_and_start, broker, broker.kill)
    await load.further(4)
    await asyncio.to_thread(_end_and_start, broker, broker.wipe)


async def the_database_is_killed_and_freezes(market: ClusterMarket, load: Load) -> None:
    database = ours(market.platform.servers.postgres)
    await asyncio.to_thread(_end_and_start, database, database.kill)
    await load.further(4)
    await _freeze(database, DATABASE_SECONDS)


async def the_broker_is_out_of_reach(market: ClusterMarket, _: Load) -> None:
    await _freeze(ours(market.platform.servers.rabbitmq), BROKER_SECONDS)


def _end_and_start(server: Server, end: Callable[[], None]) -> None:
    end()
    server.start()


async def _freeze(server: Server, seconds: float) -> None:
    await asyncio.to_thread(server.freeze)
    try:
        await asyncio.sleep(seconds)
    finally:
        await asyncio.to_thread(server.thaw)


def everywhere(market: ClusterMarket, act: Callable[[BlockingChannel, str], object]) -> None:
    """Do this to what each service has at the broker."""
    with pika.BlockingConnection(pika.URLParameters(market.platform.servers.amqp_url)) as connection:
        channel = connection.channel()
        for service in NAMES:
            act(channel, service)


def delete_exchange(channel: BlockingChannel, service: str) -> None:
    channel.exchange_delete(log_exchange(service))


async def every_queue_and_exchange_is_emptied_and_deleted(market: ClusterMarket, load: Load) -> None:
    def purge(channel: BlockingChannel, service: str) -> None:
        channel.queue_purge(inbox(service, ()).name)
        channel.queue_purge(pulls(service).name)

    def delete_queues(channel: BlockingChannel, service: str) -> None:
        channel.queue_delete(inbox(service, ()).name)
        channel.queue_delete(pulls(service).name)

    for _ in range(3):
        await asyncio.to_thread(everywhere, market, purge)
        await load.further(2)
    await asyncio.to_thread(everywhere, market, delete_queues)
    await load.further(6)
    await asyncio.to_thread(everywhere, market, delete_exchange)


async def a_log_server_stays_away(market: ClusterMarket, load: Load) -> None:
    """While its readers lose their bindings and bind again: what they missed meanwhile they can have from it alone."""

    def binds() -> int:
        return market.platform.printed("risk-writer").count("binding again")

    async def look() -> Answer | None:
        return {} if binds() > before else None

    before = binds()
    await asyncio.to_thread(market.platform.kill, "order-log-server")
    await asyncio.to_thread(everywhere, market, delete_exchange)
    await until("a reader to listen again", look)
    market.platform.start("order-log-server")


FAULTS: tuple[Fault, ...] = (
    every_process_is_killed,
    the_broker_is_killed_and_loses_its_disk,
    the_database_is_killed_and_freezes,
    the_broker_is_out_of_reach,
    every_queue_and_exchange_is_emptied_and_deleted,
    a_log_server_stays_away,
)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", [*FAULTS, *OPERATIONS], ids=lambda fault: fault.__name__)
def test_accepted_orders_survive(cluster: ClusterMarket, fault: Fault) -> None:
    survives(cluster, fault)
