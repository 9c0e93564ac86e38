"""Fixtures of the tests that want a writer's process."""

from __future__ import annotations

from tests.hosting.cluster.conftest import ground, replica
from tests.messaging.broker import rabbitmq, servers

__all__ = ["ground", "rabbitmq", "replica", "servers"]
