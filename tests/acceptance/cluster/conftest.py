"""One cluster for all tests here: to start one takes half a minute of processor."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from services import NAMES
from tests.acceptance.cluster.market import stocked_cluster
from tests.platform.market import ClusterMarket
from tests.servers import folder_with_servers


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
    yield cluster
    cluster.platform.remove(*publishers.values())
