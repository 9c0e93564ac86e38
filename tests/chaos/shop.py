"""The cluster of a run: every process reaches its servers by wires of its own, and some writers have a standby."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import sqlalchemy as sa

from cli.clustering import Process
from demo.shop import Buyer
from deploy.local import infrastructure
from deploy.local.infrastructure import InfrastructureError
from deploy.local.server import Server
from sandboxes.running import SUPPLIERS
from shared.telemetry.health import HEALTH_FILE
from tests.chaos.faults import BROKER, DATABASE
from tests.chaos.proxy import Proxy
from tests.platform.cluster import ClusterPlatform
from tests.platform.market import PRODUCT_COLUMNS, ClusterMarket, open_cluster

WITH_STANDBY = ("order", "ledger")
CARDS = tuple(f"CARD-{number}" for number in range(6))
SCARCE, SCARCE_KEYS = "SCARCE", 20
TOP_UP = "TOP-UP"
CUSTOMERS, GUESTS, FUNDS = 60, 40, 2_000_000
PATIENCE_SECONDS = 12.0
PAY_WITHIN_SECONDS = 15


@dataclass
class Shop:
    """A shop whose platform is many processes, each of which reaches the `servers` through the `proxy`."""

    market: ClusterMarket
    servers: Mapping[str, Server]
    proxy: Proxy
    guests: list[Buyer] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    @property
    def platform(self) -> ClusterPlatform:
        return self.market.platform

    async def open(self, keys: int) -> None:
        """Products, so many keys of each card, customers with money, and guests."""
        market, top_up = self.market, (TOP_UP, "Top-up", "10.00", "top-up", "supplier", ",".join(SUPPLIERS), "CNY")
        await market.load("products", PRODUCT_COLUMNS, [top_up])
        stock: dict[str, Sequence[str]] = {sku: [f"{sku}-key-{number:06d}" for number in range(keys)] for sku in CARDS}
        stock[SCARCE] = [f"{SCARCE}-key-{number:06d}" for number in range(SCARCE_KEYS)]
        self.keys = [key for texts in stock.values() for key in texts]
        await market.stock(stock)
        market.buyers = await market.customers(CUSTOMERS, FUNDS)
        self.guests = [await market.builder.guest(1_000 + number) for number in range(GUESTS)]
        for buyer in (*market.buyers, *self.guests):
            buyer.http.timeout = httpx.Timeout(PATIENCE_SECONDS)
            del buyer.http.headers["Device-Id"]  # so few devices would be taken for robots


@contextmanager
def open_shop(var: Path, keys: int, progress: Callable[[str], None]) -> Iterator[Shop]:
    """A new platform on a folder, open for business; the first supplier fails by default.

    Raises InfrastructureError when there are no servers that may be killed, or a process does not start.
    """
    with ExitStack() as stack:
        stack.callback(infrastructure.down, var)
        found = infrastructure.up(var, progress)
        if found.postgres is None or found.rabbitmq is None:
            raise InfrastructureError(f"these servers may not be killed: {found.where}")
        proxy = stack.enter_context(Proxy())

        def shape(described: list[Process]) -> Iterator[Process]:
            return (_wired(one, proxy) for one in _with_standbys(described, var))

        environment = {"KAMENG_PAY_WITHIN_SECONDS": str(PAY_WITHIN_SECONDS)}
        market = stack.enter_context(open_cluster(var, environment, shape=shape, progress=progress))
        shop = Shop(market, {DATABASE: found.postgres, BROKER: found.rabbitmq}, proxy)
        progress("opening the shop")
        market.run(shop.open(keys))
        yield shop


def _with_standbys(described: list[Process], var: Path) -> Iterator[Process]:
    for process in described:
        yield process
        service, _, kind = process.name.partition("-")
        if kind == "writer" and service in WITH_STANDBY:
            name = f"{process.name}-2"
            health = {HEALTH_FILE: str(var.absolute() / f"{name}.health")}
            yield replace(process, name=name, environment={**process.environment, **health})


def _wired(process: Process, proxy: Proxy) -> Process:
    """The same process, which finds its servers at the ends of its own wires."""
    database, broker = sa.make_url(process.environment["KAMENG_DATABASE_URL"]), process.environment["KAMENG_AMQP_URL"]
    split = urlsplit(broker)
    database_port = proxy.wire(f"{process.name}>{DATABASE}", database.host or "", database.port or 0)
    broker_port = proxy.wire(f"{process.name}>{BROKER}", split.hostname or "", split.port or 0)
    wired = {
        "KAMENG_DATABASE_URL": database.set(port=database_port).render_as_string(hide_password=False),
        "KAMENG_AMQP_URL": broker.replace(f":{split.port}", f":{broker_port}"),
    }
    return replace(process, environment={**process.environment, **wired})
