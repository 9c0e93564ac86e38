"""Parts of the cluster are killed, frozen and emptied in the middle of the load; no accepted order may notice."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from deploy.local.infrastructure import InfrastructureError
from deploy.local.server import Server
from shared.contracts.order import OrderPlaced
from shared.messaging.topology import inbox, pulls
from tests.acceptance.cluster_market import NAMES, ClusterMarket, Load, open_cluster

Fault = Callable[[ClusterMarket, Load], Awaitable[None]]


@pytest.fixture(scope="module")
def market() -> Iterator[ClusterMarket]:
    """One cluster for all faults; skips when its servers can't be had."""
    var = Path(tempfile.mkdtemp(prefix="kameng-cluster-"))
    var.chmod(0o755)  # the users that servers run as must get in
    try:
        with open_cluster(var) as opened:
            yield opened
    except InfrastructureError as error:
        pytest.skip(f"no servers: {error}")
    finally:
        shutil.rmtree(var, ignore_errors=True)


async def every_writer_is_killed(market: ClusterMarket, load: Load) -> None:
    for service in NAMES:
        await asyncio.to_thread(market.restart, f"{service}-writer")
        await load.further(2)


async def every_log_server_is_killed(market: ClusterMarket, load: Load) -> None:
    for service in NAMES:
        await asyncio.to_thread(market.restart, f"{service}-log-server")
        await load.further(2)


async def the_gateway_is_killed(market: ClusterMarket, load: Load) -> None:
    unknown = market.outcomes.unknown
    await asyncio.to_thread(market.restart, "gateway-http")
    await load.further(1)
    assert market.outcomes.unknown > unknown, "no request was under way when the gateway died"


async def the_broker_is_killed(market: ClusterMarket, _: Load) -> None:
    broker = _ours(market.servers.rabbitmq)
    await asyncio.to_thread(_end_and_start, broker, broker.kill)


async def the_broker_loses_its_disk(market: ClusterMarket, _: Load) -> None:
    broker = _ours(market.servers.rabbitmq)
    await asyncio.to_thread(_end_and_start, broker, broker.wipe)


async def the_database_is_killed(market: ClusterMarket, _: Load) -> None:
    database = _ours(market.servers.postgres)
    await asyncio.to_thread(_end_and_start, database, database.kill)


def _ours(server: Server | None) -> Server:
    if server is None:
        pytest.skip("the server is not ours to kill")
    return server


def _end_and_start(server: Server, end: Callable[[], None]) -> None:
    end()
    server.start()


async def every_queue_is_purged_then_deleted(market: ClusterMarket, load: Load) -> None:
    def everywhere(act: Callable[[BlockingChannel, str], object]) -> None:
        with pika.BlockingConnection(pika.URLParameters(market.servers.amqp_url)) as connection:
            channel = connection.channel()
            for service in NAMES:
                act(channel, inbox(service, ()).name)
                act(channel, pulls(service).name)

    for _ in range(5):
        await asyncio.to_thread(everywhere, BlockingChannel.queue_purge)
        await load.further(2)
    await asyncio.to_thread(everywhere, BlockingChannel.queue_delete)


async def every_writer_is_replaced(market: ClusterMarket, load: Load) -> None:
    for service in NAMES:
        name = f"{service}-writer"
        assert await asyncio.to_thread(market.terminate, name) == 0, market.cluster.printed(name)[-2000:]
        market.cluster.start(name)
        await load.further(2)


async def a_standby_takes_over(market: ClusterMarket, load: Load) -> None:
    with market.second_writer("order") as second:
        await market.becomes(second, "standby")
        market.kill("order-writer")
        await market.becomes(second, "leader")
        await load.further(4)
        market.cluster.start("order-writer")
        await market.becomes("order-writer", "standby")
    await market.becomes("order-writer", "leader")


async def a_frozen_writer_wakes_up(market: ClusterMarket, load: Load) -> None:
    with market.second_writer("ledger") as second:
        await market.becomes(second, "standby")
        market.signal("ledger-writer", SIGSTOP)
        await market.becomes(second, "leader")
        await load.further(4)
        market.signal("ledger-writer", SIGCONT)
        await market.becomes("ledger-writer", "standby")
        await load.further(4)
    await market.becomes("ledger-writer", "leader")


FAULTS: tuple[Fault, ...] = (
    every_writer_is_killed,
    every_log_server_is_killed,
    the_gateway_is_killed,
    the_broker_is_killed,
    the_broker_loses_its_disk,
    the_database_is_killed,
    every_queue_is_purged_then_deleted,
    every_writer_is_replaced,
    a_standby_takes_over,
    a_frozen_writer_wakes_up,
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_accepted_orders_survive(market: ClusterMarket, fault: Fault) -> None:
    before = {event.order_id for event in market.events("order", OrderPlaced)}
    load = Load(market, random.Random(fault.__name__))

    market.run(load.run(lambda load: fault(market, load)))

    placed = [event.order_id for event in market.events("order", OrderPlaced)]
    assert len(placed) == len(set(placed))
    assert set(placed) - before == set(load.placed)
    assert not market.outcomes.failed
    market.run(market.check_suppliers())
    assert not market.parked()
    for proof in market.proofs():
        assert proof.ok, proof
