"""Fixtures of the tests that want a broker."""

from tests.messaging.broker import broker, rabbitmq, servers
from tests.messaging.desk import client, desk, service

__all__ = ["broker", "client", "desk", "rabbitmq", "servers", "service"]
