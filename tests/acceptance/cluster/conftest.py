"""One cluster for all tests here: to start one takes half a minute of processor."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import pytest

from demo.shop import Answer, until
from services import NAMES
from tests.acceptance.cluster.market import stocked_cluster
from tests.platform.market import ClusterMarket
from tests.servers import folder_with_servers
from tests.waiting import PATIENCE


@pytest.fixture(scope="package")
def cluster() -> Iterator[ClusterMarket]:
    """A stocked cluster in a folder of its own; skips when its servers can't be had, and for no other reason."""
    with folder_with_servers("kameng-cluster-") as (var, _), stocked_cluster(var) as market:
        yield market


@pytest.fixture(scope="module")
def published(cluster: ClusterMarket) -> Iterator[ClusterMarket]:
    """With a publisher a service."""
    publishers = {service: f"{service}-publisher" for service in NAMES}
    for service, name in publishers.items():
        command = (sys.executable, "-m", "cli", "publisher", service)
        cluster.platform.add(name, f"{service}-log-server", command=command)
    cluster.run(_all_published(cluster, publishers.values()))
    yield cluster
    cluster.platform.remove(*publishers.values())


async def _all_published(cluster: ClusterMarket, publishers: Iterable[str]) -> None:
    """Wait until each publisher has published its log: on a slow machine they take a while to start."""
    for name in publishers:

        async def look(name: str = name) -> Answer | None:
            seen = await cluster.platform.readiness(name)
            return seen if seen and seen["leads"] and seen["position"] == seen["head"] else None

        await until(f"{name} to have published", look, PATIENCE)
