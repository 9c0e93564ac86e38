"""Fixtures of the tests that want a broker."""

from tests.broker.broker import broker, rabbitmq, servers

__all__ = ["broker", "rabbitmq", "servers"]
