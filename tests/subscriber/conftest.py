"""Fixtures of the tests that want a broker or a cluster."""

from tests.acceptance.cluster_market import cluster
from tests.broker.broker import broker, rabbitmq, servers

__all__ = ["broker", "cluster", "rabbitmq", "servers"]
