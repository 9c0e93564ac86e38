"""Fixtures of the tests that want a broker."""

from tests.messaging.broker import broker, rabbitmq, servers

__all__ = ["broker", "rabbitmq", "servers"]
