"""A platform that is ready for orders: products, keys in stock, customers with money, by cluster or embedded host."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from cli import clustering
from cli.started import processor_seconds
from demo.market import ScenarioBuilder
from demo.running import PASSWORD, free_port, served
from demo.shop import Channel, until
from sandboxes.running import CHANNEL
from services import NAMES
from shared.eventstore.engines import open_engine
from shared.runtime.embedded import database_url
from tests.acceptance.market import LIMITS, Market, Server
from tests.bench.contest import Sold
from tests.bench.load import Plan, generate
from tests.bench.measures import spent

PRICE, WALLET_FEN = "0.10", 100_000_000
ENVIRONMENT = {
    **LIMITS,
    "KAMENG_CHANNELS": json.dumps({CHANNEL: {"url": "http://127.0.0.1:9"}}),
}
Told = Callable[[str], None]


@dataclass
class Shop:
    """A running platform. `operations` is the token of staff who import, `tokens` are customers'.

    `processor` tells the seconds used by each process, `processes` their ids; the API holds questions for deliveries
    back for `wait` seconds, if it can.
    """

    address: str
    operations: str
    tokens: list[str]
    skus: list[str]
    processor: Callable[[], Mapping[str, float]]
    processes: Callable[[], Mapping[str, int]]
    lags: Callable[[], dict[str, dict[str, int]]]
    wait: float = field(default=0.0)

    def sell(self, orders: int, callers: int, rate: float = 0.0) -> Sold:
        """Have so many orders placed; returns when no service is behind."""
        place = urlsplit(self.address)
        plan = Plan(place.hostname or "", place.port or 0, self.tokens, self.skus, orders, callers, rate, self.wait)
        before = self.processor()
        report = generate(plan)
        asyncio.run(until("every service to catch up", self._settled))
        return Sold(report, spent(before, self.processor()))

    async def _settled(self) -> dict[str, object] | None:
        return None if any(any(behind.values()) for behind in self.lags().values()) else {}


@contextmanager
def cluster_shop(var: Path, keys: int, skus: int, customers: int, told: Told) -> Iterator[Shop]:
    """All processes of the cluster, on the servers of `var`, with so many keys in stock in all."""
    port = free_port()
    with clustering.running(NAMES, var, port, told, ENVIRONMENT) as (cluster, logs):
        password = PASSWORD.search(cluster.printed("gateway-http"))
        operations, tokens, names = _open(
            Server(var, port, {}), password.group(1) if password else "", keys, skus, customers, told
        )
        yield Shop(
            cluster.address,
            operations,
            tokens,
            names,
            cluster.processor_seconds,
            lambda: {name: process.pid for name, process in cluster.running.items()},
            lambda: clustering.lags(logs),
            _waits(cluster.address),
        )


@contextmanager
def embedded_shop(var: Path, keys: int, skus: int, customers: int, told: Told) -> Iterator[Shop]:
    """`kameng serve` in one process, on a new folder."""
    port = free_port()
    var.mkdir(parents=True)
    with ExitStack() as stack:
        told("starting the embedded host")
        printed = PASSWORD.search(stack.enter_context(served(var, ENVIRONMENT, port)))
        server = Server(var, port, {})
        operations, tokens, names = _open(server, printed.group(1) if printed else "", keys, skus, customers, told)
        pid = json.loads((var / "serve.json").read_text())["pid"]
        logs = {name: open_engine(database_url(var, name), writer=False) for name in NAMES}
        for engine in logs.values():
            stack.callback(engine.dispose)
        address = f"http://127.0.0.1:{port}"
        yield Shop(
            address,
            operations,
            tokens,
            names,
            lambda: {"kameng serve": processor_seconds(pid)},
            lambda: {"kameng serve": pid},
            lambda: clustering.lags(logs),
            _waits(address),
        )


def _waits(address: str) -> float:
    """How long the API holds a question for deliveries back, if it can."""
    paths = httpx.get(f"{address}/openapi.json").json()["paths"]
    parameters = paths["/v1/orders/{order_id}/deliveries"]["get"].get("parameters", ())
    return 30.0 if any(parameter["name"] == "wait" for parameter in parameters) else 0.0


def _open(
    server: Server, password: str, keys: int, skus: int, customers: int, told: Told
) -> tuple[str, list[str], list[str]]:
    """Staff, products, keys and customers. Gives the tokens of operations and of the customers, and the SKUs."""
    address = f"http://127.0.0.1:{server.port}"
    with asyncio.Runner() as loop:
        clients = AsyncExitStack()
        channel = Channel(httpx.AsyncClient(base_url=address))
        builder = ScenarioBuilder(address, channel, clients, lambda what, done, total: None)
        market = Market(server, address, {}, loop, builder)
        market.staff = loop.run(builder.staff(password))
        names = [f"CARD-{number}" for number in range(skus)]
        told(f"loading {keys} keys")
        each = -(-keys // skus)
        loop.run(market.stock({sku: [f"{sku}-{number:07d}" for number in range(each)] for sku in names}, PRICE))
        told("funding customers")
        buyers = loop.run(market.customers(customers, WALLET_FEN))
        operations = token_of(market.staff["operations"])
        tokens = [token_of(buyer.http) for buyer in buyers]
        loop.run(clients.aclose())
        return operations, tokens, names


def token_of(client: httpx.AsyncClient) -> str:
    """The token that a client of the API sends."""
    return client.headers["Authorization"].removeprefix("Bearer ")


def resident_bytes(pid: int) -> tuple[int, int]:
    """A process's memory now and at its peak."""
    told = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(told["VmRSS"].split()[0]) * 1024, int(told["VmHWM"].split()[0]) * 1024
