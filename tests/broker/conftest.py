"""Fixtures of the tests that want a broker."""

from tests.broker.broker import broker, rabbitmq, servers
from tests.broker.stand_in import client, service, writer

__all__ = ["broker", "client", "rabbitmq", "servers", "service", "writer"]
