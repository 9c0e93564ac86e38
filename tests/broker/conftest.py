"""Fixtures of the tests that want a broker."""

from tests.broker.broker import broker, rabbitmq, servers
from tests.broker.stand_in import client, desk, service

__all__ = ["broker", "client", "desk", "rabbitmq", "servers", "service"]
