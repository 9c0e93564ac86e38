"""A platform that is ready for orders: products, keys in stock, customers with money, by cluster or embedded host."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import httpx

from cli import clustering
from cli.started import processor_seconds
from demo.shop import until
from tests.bench.contest import Sold
from tests.bench.load import Plan, generate
from tests.bench.measures import spent
from tests.platform.market import ClusterMarket, ServedMarket, open_cluster, open_market

PRICE, WALLET_FEN = "0.10", 100_000_000
OnProgress = Callable[[str], None]
AnyMarket: TypeAlias = ServedMarket | ClusterMarket


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
def cluster_shop(var: Path, keys: int, skus: int, customers: int, progress: OnProgress) -> Iterator[Shop]:
    """All processes of the cluster, with so many keys in stock in all."""
    with open_cluster(var, progress=progress) as market:
        cluster = market.platform.cluster
        yield _shop(
            market,
            _stocked(market, keys, skus, customers, progress),
            cluster.processor_seconds,
            lambda: {name: process.pid for name, process in cluster.running.items()},
        )


@contextmanager
def embedded_shop(var: Path, keys: int, skus: int, customers: int, progress: OnProgress) -> Iterator[Shop]:
    """`kameng serve` in one process, on a new folder."""
    progress("starting the embedded host")
    with open_market(var) as market:
        pid = market.platform.pid
        yield _shop(
            market,
            _stocked(market, keys, skus, customers, progress),
            lambda: {"kameng serve": processor_seconds(pid)},
            lambda: {"kameng serve": pid},
        )


def _shop(
    market: AnyMarket,
    skus: list[str],
    processor: Callable[[], Mapping[str, float]],
    processes: Callable[[], Mapping[str, int]],
) -> Shop:
    def lags() -> dict[str, dict[str, int]]:
        with market.platform.databases() as found:
            return clustering.lags(found)

    tokens = [token_of(buyer.http) for buyer in market.buyers]
    operations = token_of(market.staff["operations"])
    return Shop(market.address, operations, tokens, skus, processor, processes, lags, _waits(market.address))


def _waits(address: str) -> float:
    """How long the API holds a question for deliveries back, if it can."""
    paths = httpx.get(f"{address}/openapi.json").json()["paths"]
    parameters = paths["/v1/orders/{order_id}/deliveries"]["get"].get("parameters", ())
    return 30.0 if any(parameter["name"] == "wait" for parameter in parameters) else 0.0


def _stocked(market: AnyMarket, keys: int, skus: int, customers: int, progress: OnProgress) -> list[str]:
    """Products, keys and customers. Gives the SKUs."""
    names = [f"CARD-{number}" for number in range(skus)]
    progress(f"loading {keys} keys")
    each = -(-keys // skus)
    market.run(market.stock({sku: [f"{sku}-{number:07d}" for number in range(each)] for sku in names}, PRICE))
    progress("funding customers")
    market.buyers = market.run(market.customers(customers, WALLET_FEN))
    return names


def token_of(client: httpx.AsyncClient) -> str:
    """The token that a client of the API sends."""
    return client.headers["Authorization"].removeprefix("Bearer ")


def resident_bytes(pid: int) -> tuple[int, int]:
    """A process's memory now and at its peak."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) * 1024, int(fields["VmHWM"].split()[0]) * 1024
