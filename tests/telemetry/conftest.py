"""Fixtures of the tests that want a writer's process."""

from __future__ import annotations

from tests.broker.broker import rabbitmq, servers
from tests.runtime.cluster.conftest import ground, replica

__all__ = ["ground", "rabbitmq", "replica", "servers"]
