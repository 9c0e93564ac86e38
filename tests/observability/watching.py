"""A cluster under load, with a real Prometheus that scrapes it."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.clustering import WEBHOOKS
from deploy.local.packages import ensure_installed
from deploy.local.prometheus import Prometheus
from deploy.local.waiting import until
from services import NAMES
from tests.acceptance.cluster.load import Load
from tests.observability.asking import Asked, Asking
from tests.platform.market import ClusterMarket
from tests.waiting import PATIENCE

KINDS = ("", "-log-server", "-publisher")


@contextmanager
def temporary() -> Iterator[Path]:
    """A folder that the users servers run as can get into."""
    var = Path(tempfile.mkdtemp(prefix="kameng-observe-"))
    var.chmod(0o755)
    try:
        yield var
    finally:
        shutil.rmtree(var, ignore_errors=True)


def ensure_prometheus() -> None:
    """Install it where it is missing and we may. Raises InfrastructureError."""
    ensure_installed(Path(tempfile.gettempdir()) / "kameng-install.log", print, ("prometheus",))


@contextmanager
def watched(market: ClusterMarket) -> Iterator[tuple[Prometheus, Asking]]:
    """Prometheus over every process of the cluster, and over its broker if that is ours; stopped at the end.

    Raises InfrastructureError when it can't be had.
    """
    ensure_prometheus()
    prometheus = Prometheus(market.platform.var, every_seconds=1)
    names = (*(f"{name}{kind}" for name in NAMES for kind in KINDS), WEBHOOKS)
    files = [market.platform.var / f"{name}.health" for name in names]
    if not until(lambda: all(file.exists() for file in files), PATIENCE):
        raise RuntimeError(f"they do not say where they answer: {[file.name for file in files if not file.exists()]}")
    addresses = [file.read_text() for file in files]
    prometheus.aim("kameng", [_bare(address) for address in (*addresses, market.address)])
    rabbitmq = market.platform.servers.rabbitmq
    if rabbitmq is not None:
        prometheus.aim("rabbitmq", [f"127.0.0.1:{rabbitmq.ports['metrics']}"])
    prometheus.up()
    asking = Asking(prometheus.url, has_broker=rabbitmq is not None)
    try:
        yield prometheus, asking
    finally:
        asking.close()
        prometheus.stop()


def _bare(address: str) -> str:
    return address.strip().removeprefix("http://")


def buy_until(market: ClusterMarket, enough: Callable[[], Awaitable[None]]) -> int:
    """People buy until that returns. How many orders they placed."""
    load = Load(market, random.Random(6))

    async def look(load: Load) -> None:
        await load.further(30)
        await enough()

    market.run(load.run(look))
    return len(load.placed)


async def all_asked(asking: Asking) -> list[Asked]:
    """Every query, asked until all have an answer; after a while, with those that have none."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        found = await asyncio.to_thread(lambda: [*asking.dashboards(), *asking.alerts()])
        if all(one.ok for one in found) and not await asyncio.to_thread(asking.unreported):
            return found
        if asyncio.get_running_loop().time() > deadline:
            return found
        await asyncio.sleep(0.5)
