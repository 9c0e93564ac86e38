"""Fixtures of the tests that want a cluster's ground."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.infrastructure import Infrastructure
from tests.broker.broker import rabbitmq, servers
from tests.runtime.cluster.builders import Ground, Replica

__all__ = ["ground", "rabbitmq", "replica", "servers"]


@pytest.fixture
def ground(servers: Infrastructure, tmp_path: Path) -> Iterator[Ground]:
    """An empty database, and a broker without the toys' queues."""
    made = Ground(servers, tmp_path)
    for service in ("button", "lamp"):
        made.delete_queue(service)
    yield made
    made.drop()


@pytest.fixture
def replica(ground: Ground) -> Iterator[Callable[..., Replica]]:
    """Starts replicas, and kills what is left of them at the end."""
    started: list[Replica] = []

    def start(declared: str, world: int = 0) -> Replica:
        started.append(Replica(ground, declared, world))
        return started[-1]

    yield start
    for one in started:
        one.kill()
