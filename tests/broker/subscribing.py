"""A log that grows, publishers of it, and a subscriber with a durable queue of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from cloudevents.core.bindings.rabbitmq import RabbitMQMessage, from_rabbitmq_event
from cloudevents.core.v1.event import CloudEvent
from pika.exceptions import AMQPError

from shared.broker.publisher import Publisher
from shared.eventstore import checkpoints
from shared.eventstore.engines import open_engine
from shared.eventstore.recorded import RecordedEvent
from shared.messages.topology import EVENTS
from tests.broker.broker import Broker
from tests.databases import NewDatabase
from tests.eventstore.builders import append, created, events
from tests.waiting import PATIENCE

SOON = 0.05
QUIET_SECONDS = 0.2


class Log:
    """The log of a service of the test's own."""

    def __init__(self, url: str, service: str = "") -> None:
        self.url, self.service = url, service or f"test-{uuid4().hex}"
        self.engine = open_engine(url, writer=True)
        self.head = created(self.engine)

    def grow(self, count: int = 1) -> None:
        self.add(events(self.head.position + 1, count))

    def add(self, recorded: list[RecordedEvent]) -> None:
        self.head = append(self.engine, self.head, recorded)

    @property
    def checkpoint(self) -> int:
        """As stored; 0 when nothing is."""
        with self.engine.connect() as connection:
            return checkpoints.stored(connection, checkpoints.PUBLISHER)

    def end_sessions(self, name: str) -> int:
        """As an administrator would: connections whose application has this name are ended. Returns how many."""
        with self.engine.begin() as connection:
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name"
            return len(connection.execute(sa.text(ended), {"name": name}).all())


@pytest.fixture
def button(postgres: NewDatabase) -> Iterator[Log]:
    opened = Log(postgres())
    yield opened
    opened.engine.dispose()


class Running:
    """A publisher on a thread."""

    def __init__(self, button: Log, amqp_url: str, **options: Any) -> None:
        self._engine, self._stop = open_engine(button.url, writer=False), Event()
        self.publisher = Publisher(button.service, self._engine, amqp_url, **{"every_seconds": SOON, **options})
        self._thread = Thread(target=self.publisher.run, args=(self._stop,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """In good order."""
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self._engine.dispose()


@contextmanager
def publishing(button: Log, amqp_url: str, **options: Any) -> Iterator[Publisher]:
    """A publisher, whether it can publish or not."""
    running = Running(button, amqp_url, **options)
    try:
        yield running.publisher
    finally:
        running.stop()


class Subscriber:
    """A durable quorum queue, bound as it likes; what came stays there until it is received."""

    def __init__(self, broker: Broker, **arguments: object) -> None:
        self._broker, self.queue = broker, f"test.{uuid4().hex}"
        self.messages: list[tuple[Any, Any, bytes]] = []
        with broker.channel() as channel:
            channel.exchange_declare(EVENTS, "topic", durable=True)
            channel.queue_declare(self.queue, durable=True, arguments={"x-queue-type": "quorum", **arguments})
        broker.forget_later(self.queue)

    def bind(self, *keys: str) -> None:
        with self._broker.channel() as channel:
            for key in keys:
                channel.queue_bind(self.queue, EVENTS, key)

    def receive(self) -> None:
        """Take in what is in the queue now."""
        with suppress(AMQPError, OSError), self._broker.channel() as channel:
            channel.basic_qos(prefetch_count=500)
            for method, properties, body in channel.consume(self.queue, inactivity_timeout=QUIET_SECONDS):
                if method is None:
                    return
                self.messages.append((method, properties, body))
                channel.basic_ack(method.delivery_tag)

    @property
    def events(self) -> list[CloudEvent]:
        """What was received, as the SDK reads it."""
        return [
            from_rabbitmq_event(RabbitMQMessage(dict(properties.headers), properties.content_type, body))
            for _, properties, body in self.messages
        ]

    @property
    def positions(self) -> list[int]:
        return [int(event.get_extension("sequence")) for event in self.events]

    def has(self, *positions: int) -> bool:
        """Whether all of these were received, after taking in what has come."""
        self.receive()
        return set(positions) <= set(self.positions)


@pytest.fixture
def subscriber(broker: Broker, button: Log) -> Subscriber:
    """Subscribed to all events of the log."""
    made = Subscriber(broker)
    made.bind(f"{button.service}.#")
    return made


def up_to(position: int) -> list[int]:
    return list(range(1, position + 1))


def check_repeats(positions: list[int], last: int, window: int) -> None:
    """Each was sent, each for the first time in order, and none again by more than a window."""
    assert list(dict.fromkeys(positions)) == up_to(last)
    assert all(after == before + 1 or before - window < after <= before for before, after in pairwise(positions))
