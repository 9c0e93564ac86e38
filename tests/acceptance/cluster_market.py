"""The whole platform as a cluster on this machine, whose parts are killed while people buy."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias, TypeVar

import httpx
import pytest
import sqlalchemy as sa

from cli import clustering
from cli.__main__ import SERVICES
from cli.clustering import Cluster
from demo.market import ScenarioBuilder
from demo.running import PASSWORD, free_port
from demo.shop import (
    Answer,
    Buyer,
    Channel,
    Unexpected,
    answer_of,
    client_at,
    until,
)
from deploy.local import infrastructure
from deploy.local.infrastructure import Infrastructure
from deploy.local.server import Server as OurServer
from sandboxes.running import CHANNEL, SUPPLIERS, run_sandboxes
from shared.contracts.fulfillment import SupplierDelivered
from shared.contracts.order import OrderCompleted, OrderPlaced
from shared.runtime.cluster.health import HEALTH_FILE
from shared.security.secrets import Secrets
from tests.acceptance.cluster_load import CARDS, TOP_UP, Load
from tests.acceptance.market import LIMITS, PRODUCT_COLUMNS, Market, Server
from tests.servers import end_servers, folder_with_servers
from tests.waiting import PATIENCE

NAMES = tuple(service.name for service in SERVICES)
KEYS, CUSTOMERS = 1_500, 24
Fault: TypeAlias = "Callable[[ClusterMarket, Load], Awaitable[None]]"
S = TypeVar("S", bound=OurServer)


@dataclass
class ClusterMarket(Market):
    """A market whose platform is many processes. Its `server` only names folder, port and environment.

    The `stranger` is a customer who has not bought yet.
    """

    cluster: Cluster = field(kw_only=True)
    logs: dict[str, sa.Engine] = field(kw_only=True)
    servers: Infrastructure = field(kw_only=True)
    buyers: list[Buyer] = field(default_factory=list, kw_only=True)
    stranger: Buyer = field(init=False)

    def engine(self, service: str) -> sa.Engine:
        return self.logs[service]

    def survives(self, fault: Fault) -> None:
        """People buy while this happens: every order that was acknowledged must end, and everything be right.

        Prints how many orders there were, and why requests were sent again.
        """
        before = self._ordered()
        load = Load(self, random.Random(fault.__name__))

        async def happen() -> None:
            await load.run(lambda load: fault(self, load))
            await self.settled()

        self.run(happen())
        print(f"{fault.__name__}: {len(load.placed)} orders, asked again for {dict(load.outcomes.again)}")
        placed = self._ordered() - before
        assert placed.keys() == {*load.placed}
        assert set(placed.values()) == {1}
        assert not load.outcomes.failed
        self.run(self.check_suppliers())
        assert not self.parked()
        for proof in self.proofs():
            assert proof.ok, proof

    def _ordered(self) -> Counter[str]:
        return Counter(event.order_id for event in self.events("order", OrderPlaced))

    def kameng(self, *arguments: str) -> str:
        """Run a command on the cluster, as an operator does; what it prints. It must end well."""
        done = subprocess.run(
            [sys.executable, "-m", "cli", *arguments, "--cluster", "--var", str(self.var)],
            capture_output=True,
            text=True,
            timeout=4 * PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def kill(self, name: str) -> None:
        """End a process as a power cut does."""
        self.cluster.running[name].kill()
        self.cluster.running[name].wait()

    def restart(self, *names: str) -> None:
        """Kill these processes, and start them when all are gone."""
        for name in names:
            self.kill(name)
        for name in names:
            self.cluster.start(name)

    def terminate(self, *names: str) -> None:
        """Ask processes to end, and wait until they did so in good order."""
        for name in names:
            self.signal(name, signal.SIGTERM)
        for name in names:
            assert self.cluster.running[name].wait(PATIENCE) == 0, self.cluster.printed(name)[-2000:]

    def replace(self, *names: str) -> None:
        """Start processes anew, when all have ended in good order."""
        self.terminate(*names)
        for name in names:
            self.cluster.start(name)

    def signal(self, name: str, number: signal.Signals) -> None:
        self.cluster.running[name].send_signal(number)

    @contextmanager
    def second_writer(self, service: str) -> Iterator[str]:
        """One more writer of a service, asked to end at the end. Gives its process's name."""
        name, first = f"{service}-writer-2", self.cluster.described[f"{service}-writer"]
        health = {HEALTH_FILE: str(self.var / f"{name}.health")}
        self.cluster.described[name] = replace(first, name=name, environment={**first.environment, **health})
        self.cluster.start(name)
        yield name
        self.terminate(name)
        del self.cluster.running[name], self.cluster.described[name]

    async def becomes(self, name: str, role: str) -> None:
        """Wait until a writer's process says that this is its role."""
        file = Path(self.cluster.described[name].environment[HEALTH_FILE])

        def address() -> str:
            return file.read_text()

        async def look() -> Answer | None:
            assert self.cluster.running[name].poll() is None, self.cluster.printed(name)[-2000:]
            try:
                async with httpx.AsyncClient(timeout=2) as client:
                    seen = (await client.get(f"{address()}/readyz")).json()
            except (FileNotFoundError, httpx.TransportError):
                return None
            return seen if seen["role"] == role else None

        await until(f"{name} to be {role}", look)

    async def settled(self, *waiting: str) -> None:
        """Wait until every order but those `waiting` has ended, no reader is behind and no agenda holds what is due."""

        left: list[str] = []

        async def look() -> Answer | None:
            left[:] = await asyncio.to_thread(self.unfinished, *waiting)
            return None if left else {}

        try:
            await until("everything to settle", look, 2 * PATIENCE)
        except Unexpected as error:
            raise Unexpected(f"{error}: {left}") from None

    def unfinished(self, *waiting: str) -> list[str]:
        """What still has to be done, in words."""
        placed = {event.order_id for event in self.events("order", OrderPlaced)}
        ended = {event.order_id for event in self.events("order", OrderCompleted)}
        lags = clustering.lags(self.logs)
        found = [f"{reader} is behind {source}" for reader, by in lags.items() for source, lag in by.items() if lag]
        return [*found, *self.due(), *(f"order {order_id}" for order_id in placed - ended - {*waiting})]

    async def check_suppliers(self) -> None:
        """Each line was bought once at most, and every line that says so was."""
        lines: Counter[str] = Counter()
        for name in SUPPLIERS:
            async with httpx.AsyncClient(base_url=self.sandboxes[name]) as supplier:
                for request_id, account in answer_of(await supplier.get("/purchases")).items():
                    lines[request_id.rpartition("#")[0]] += account["bought"]
        delivered = Counter(event.delivery_id for event in self.events("fulfillment", SupplierDelivered))
        assert set(delivered.values()) == {1}
        assert +lines == delivered


@contextmanager
def open_cluster(var: Path, *, publish: bool = False, webhooks: bool = False) -> Iterator[ClusterMarket]:
    """A new platform of many processes on a folder, with staff, customers and stock; the first supplier fails.
    `publish`: with publishers; `webhooks`: with what posts events.

    Raises InfrastructureError when the servers can't be had.
    """
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        sandboxes = stack.enter_context(run_sandboxes(Secrets(var / "secrets"), address))
        suppliers = {name: {"url": sandboxes[name], "timeout_seconds": 1} for name in SUPPLIERS}
        environment = {
            **LIMITS,
            "KAMENG_ANSWER_WITHIN_SECONDS": "600",  # no fault here is so long that an order may be given up
            "KAMENG_SUPPLIERS": json.dumps(suppliers),
            "KAMENG_CHANNELS": json.dumps({CHANNEL: {"url": sandboxes[CHANNEL]}}),
        }
        answer_of(httpx.put(f"{sandboxes[SUPPLIERS[0]]}/behaviour", json={"behaviour": "failing"}))
        stack.callback(end_servers, var)
        cluster, logs = stack.enter_context(
            clustering.running(NAMES, var, port, print, environment, publish=publish, webhooks=webhooks)
        )
        loop = stack.enter_context(asyncio.Runner())
        clients = AsyncExitStack()
        stack.callback(lambda: loop.run(clients.aclose()))
        channel = Channel(loop.run(clients.enter_async_context(client_at(sandboxes[CHANNEL], "127.0.0.1"))))
        builder = ScenarioBuilder(address, channel, clients, lambda what, done, total: None)
        market = ClusterMarket(
            Server(var, port, environment),
            address,
            sandboxes,
            loop,
            builder,
            cluster=cluster,
            logs=logs,
            servers=infrastructure.up(var, print),
        )
        password = PASSWORD.search(cluster.printed("gateway-http"))
        assert password, "the gateway showed no administrator's password"
        market.staff = market.run(builder.staff(password.group(1)))
        market.run(_open_shop(market))
        yield market


async def _open_shop(market: ClusterMarket) -> None:
    top_up = (TOP_UP, "Top-up", "10.00", "top-up", "supplier", ",".join(SUPPLIERS), "CNY")
    await market.load("products", PRODUCT_COLUMNS, [top_up])
    await market.stock({sku: [f"{sku}-{number:04d}" for number in range(KEYS)] for sku in CARDS})
    *market.buyers, market.stranger = await market.customers(CUSTOMERS + 1, 10_000_000)


@contextmanager
def cluster_or_skip(*, publish: bool = False) -> Iterator[ClusterMarket]:
    """A cluster in a folder of its own; skips when its servers can't be had, and for no other reason."""
    with folder_with_servers("kameng-cluster-") as (var, _), open_cluster(var, publish=publish) as opened:
        yield opened


@pytest.fixture(scope="module")
def cluster() -> Iterator[ClusterMarket]:
    """One cluster for all tests of a module."""
    with cluster_or_skip() as opened:
        yield opened


def ours(server: S | None) -> S:
    """A server that may be killed; skips when there is none."""
    if server is None:
        pytest.skip("the server is not ours to kill")
    return server
