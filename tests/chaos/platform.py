"""The cluster of a run: every process reaches its servers by wires of its own, and some writers have a standby."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import sqlalchemy as sa

from cli.__main__ import SERVICES
from cli.clustering import (
    READY_SECONDS,
    Cluster,
    Process,
    processes,
)
from cli.migrating import database_of, migrate_service
from demo.market import ScenarioBuilder
from demo.running import PASSWORD
from demo.shop import (
    Buyer,
    Channel,
    Unexpected,
    answer_of,
    client_at,
)
from deploy.local import infrastructure
from deploy.local.infrastructure import InfrastructureError
from deploy.local.ports import free_port
from deploy.local.server import Server as OurServer
from deploy.local.waiting import until
from sandboxes.running import CHANNEL, SUPPLIERS, run_sandboxes
from shared.eventstore.engines import open_engine
from shared.security.secrets import Secrets
from shared.telemetry.health import HEALTH_FILE
from tests.acceptance.market import LIMITS, PRODUCT_COLUMNS, Market, Server
from tests.chaos.faults import BROKER, DATABASE
from tests.chaos.proxy import Proxy

NAMES = tuple(service.name for service in SERVICES)
WITH_STANDBY = ("order", "ledger")
CARDS = tuple(f"CARD-{number}" for number in range(6))
SCARCE, SCARCE_KEYS = "SCARCE", 20
TOP_UP = "TOP-UP"
CUSTOMERS, GUESTS, FUNDS = 60, 40, 2_000_000
PATIENCE_SECONDS = 12.0
PAY_WITHIN_SECONDS = 15


@dataclass
class Platform(Market):
    """A market whose platform is many processes. Its `server` only names folder, port and environment."""

    cluster: Cluster = field(kw_only=True)
    logs: dict[str, sa.Engine] = field(kw_only=True)
    servers: Mapping[str, OurServer] = field(kw_only=True)
    proxy: Proxy = field(kw_only=True)
    customers_known: list[Buyer] = field(default_factory=list, kw_only=True)
    guests: list[Buyer] = field(default_factory=list, kw_only=True)
    keys: list[str] = field(default_factory=list, kw_only=True)

    def engine(self, service: str) -> sa.Engine:
        return self.logs[service]

    async def open_shop(self, keys: int) -> None:
        """Products, so many keys of each card, customers with money, and guests."""
        top_up = (TOP_UP, "Top-up", "10.00", "top-up", "supplier", ",".join(SUPPLIERS), "CNY")
        await self.load("products", PRODUCT_COLUMNS, [top_up])
        stock: dict[str, Sequence[str]] = {sku: [f"{sku}-key-{number:06d}" for number in range(keys)] for sku in CARDS}
        stock[SCARCE] = [f"{SCARCE}-key-{number:06d}" for number in range(SCARCE_KEYS)]
        self.keys = [key for texts in stock.values() for key in texts]
        await self.stock(stock)
        self.customers_known = await self.customers(CUSTOMERS, FUNDS)
        self.guests = [await self.builder.guest(1_000 + number) for number in range(GUESTS)]
        for buyer in (*self.customers_known, *self.guests):
            buyer.http.timeout = httpx.Timeout(PATIENCE_SECONDS)
            del buyer.http.headers["Device-Id"]  # so few devices would be taken for robots


@contextmanager
def open_platform(var: Path, keys: int, told: Callable[[str], None]) -> Iterator[Platform]:
    """A new platform on a folder, open for business; the first supplier fails by default.

    Raises InfrastructureError when there are no servers that may be killed, Unexpected when a process does not start.
    """
    (var / "logs").mkdir(parents=True, exist_ok=True)
    port = free_port(set())
    address = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        sandboxes = stack.enter_context(run_sandboxes(Secrets(var / "secrets"), address))
        answer_of(httpx.put(f"{sandboxes[SUPPLIERS[0]]}/behaviour", json={"behaviour": "failing"}))
        proxy = stack.enter_context(Proxy())
        stack.callback(infrastructure.down, var)
        servers = infrastructure.up(var, told)
        if servers.postgres is None or servers.rabbitmq is None:
            raise InfrastructureError(f"these servers may not be killed: {servers.where}")
        suppliers = {name: {"url": sandboxes[name], "timeout_seconds": 1} for name in SUPPLIERS}
        environment = {
            **LIMITS,
            "KAMENG_PAY_WITHIN_SECONDS": str(PAY_WITHIN_SECONDS),
            "KAMENG_PUBLIC_URL": address,
            "KAMENG_SUPPLIERS": json.dumps(suppliers),
            "KAMENG_CHANNELS": json.dumps({CHANNEL: {"url": sandboxes[CHANNEL]}}),
        }
        told("migrating")
        urls = _databases(servers.postgres_url, var)
        plain = processes(NAMES, _shown(urls), servers.amqp_url, var, port)
        wired = (_wired(one, proxy, environment) for one in _with_standbys(plain, var))
        cluster = Cluster(var, address, {}, {one.name: one for one in wired})
        stack.callback(cluster.stop)
        told("starting processes")
        _start(cluster)
        logs = {service: open_engine(url, writer=False) for service, url in urls.items()}
        for engine in logs.values():
            stack.callback(engine.dispose)
        loop = stack.enter_context(asyncio.Runner())
        clients = AsyncExitStack()
        stack.callback(lambda: loop.run(clients.aclose()))
        channel = Channel(loop.run(clients.enter_async_context(client_at(sandboxes[CHANNEL], "127.0.0.1"))))
        platform = Platform(
            Server(var, port, environment),
            address,
            sandboxes,
            loop,
            ScenarioBuilder(address, channel, clients, lambda what, done, total: None),
            cluster=cluster,
            logs=logs,
            servers={DATABASE: servers.postgres, BROKER: servers.rabbitmq},
            proxy=proxy,
        )
        told("opening the shop")
        password = PASSWORD.search(cluster.printed("gateway-http"))
        assert password, "the gateway showed no administrator's password"
        platform.staff = platform.run(platform.builder.staff(password.group(1)))
        platform.run(platform.open_shop(keys))
        yield platform


def _databases(postgres_url: str, var: Path) -> dict[str, sa.URL]:
    secrets = Secrets(var / "secrets")
    for service in NAMES:
        migrate_service(postgres_url, service, secrets)
    return {service: database_of(postgres_url, service, secrets) for service in NAMES}


def _shown(urls: Mapping[str, sa.URL]) -> dict[str, str]:
    return {service: url.render_as_string(hide_password=False) for service, url in urls.items()}


def _with_standbys(described: list[Process], var: Path) -> Iterator[Process]:
    for process in described:
        yield process
        service, _, kind = process.name.partition("-")
        if kind == "writer" and service in WITH_STANDBY:
            name = f"{process.name}-2"
            health = {HEALTH_FILE: str(var.absolute() / f"{name}.health")}
            yield replace(process, name=name, environment={**process.environment, **health})


def _wired(process: Process, proxy: Proxy, more: Mapping[str, str]) -> Process:
    """The same process with more in its environment, which finds its servers at the ends of its own wires."""
    database, broker = sa.make_url(process.environment["KAMENG_DATABASE_URL"]), process.environment["KAMENG_AMQP_URL"]
    split = urlsplit(broker)
    database_port = proxy.wire(f"{process.name}>{DATABASE}", database.host or "", database.port or 0)
    broker_port = proxy.wire(f"{process.name}>{BROKER}", split.hostname or "", split.port or 0)
    wired = {
        "KAMENG_DATABASE_URL": database.set(port=database_port).render_as_string(hide_password=False),
        "KAMENG_AMQP_URL": broker.replace(f":{split.port}", f":{broker_port}"),
    }
    return replace(process, environment={**process.environment, **more, **wired})


def _start(cluster: Cluster) -> None:
    for name in cluster.described:
        cluster.start(name)
    if not until(lambda: _answers(cluster), READY_SECONDS):
        raise Unexpected(f"the gateway does not answer: {cluster.printed('gateway-http')[-2000:]}")


def _answers(cluster: Cluster) -> bool:
    for name, process in cluster.running.items():
        if process.poll() is not None:
            raise Unexpected(f"{name} ended: {cluster.printed(name)[-2000:]}")
    try:
        return httpx.get(f"{cluster.address}/readyz", timeout=2).is_success
    except httpx.TransportError:
        return False
