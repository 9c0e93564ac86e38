"""Events as they travel, and a log that is both published and shown in a feed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pika

from kameng_subscriber import Event, Feed, LogLost, Queue, Subscriber
from kameng_subscriber.event import from_message
from kameng_subscriber.feed import Page
from shared.broker.cloudevents import OutgoingEvent, outgoing, structured
from shared.contracts import Event as Fact
from shared.contracts.base import Metadata
from shared.contracts.gateway import StaffAdded
from shared.eventstore.recorded import RecordedEvent
from shared.messages.topology import EVENTS
from tests.broker.broker import Broker
from tests.waiting import PATIENCE, wait_for

START = datetime(2026, 1, 1, 8, tzinfo=UTC)
META = Metadata(correlation_id="flow", causation_id="cause")
SOURCE = "gateway"


def recorded(fact: Fact, position: int = 1) -> RecordedEvent:
    """An event at its place in its owner's log."""
    at = START + timedelta(seconds=position)
    stream = f"thing-{fact.partition_key()}"
    data, meta = fact.model_dump_json(), META.model_dump_json()
    return RecordedEvent(
        fact.owner, position, stream, position, f"id-{fact.owner}-{position}", fact.type(), data, meta, at
    )


def added(position: int) -> RecordedEvent:
    return recorded(StaffAdded(username=f"u{position}", role="support"), position)


def received(fact: Fact, position: int = 1) -> Event:
    """The event as a subscriber gets it."""
    (message,) = outgoing(recorded(fact, position))
    return from_message(message.properties.headers, message.body)


def at(sequence: int, *, redriven: bool = False) -> Event:
    """An event of nothing but its place."""
    return Event(f"id-{sequence}", SOURCE, sequence, "kameng.gateway.X.v1", START, "x-1", "1", {}, redriven=redriven)


class Logged(Feed):
    """A feed of one log that is in memory. `asked` are the sequences after which pages were asked for."""

    def __init__(self, count: int = 0, page: int = 50) -> None:
        super().__init__("http://nowhere", "nobody", "")
        self.log: list[RecordedEvent] = []
        self.asked: list[int] = []
        self.between_pages: Callable[[], object] = lambda: None
        self._size = page
        self.grow(count)

    def grow(self, count: int) -> list[RecordedEvent]:
        new = [added(len(self.log) + number) for number in range(1, count + 1)]
        self.log += new
        return new

    def check(self, source: str, sequence: int) -> None:
        if source == SOURCE and sequence > len(self.log):
            raise LogLost(source)

    def end(self, source: str, after: int) -> int:
        return max(after, len(self.log)) if source == SOURCE else after

    def pages(self, source: str, after: int) -> Iterator[Page]:
        if source != SOURCE:
            return
        while True:
            self.asked.append(after)
            found = self.log[after : after + self._size]
            if not found:
                return
            yield Page([json.loads(structured(one)) for one in found], found[-1].position)
            after = found[-1].position
            self.between_pages()


def publish(broker: Broker, events: Iterable[RecordedEvent | OutgoingEvent]) -> None:
    """Send events as a publisher does; returns when the broker has them."""
    with broker.channel() as channel:
        channel.confirm_delivery()
        for event in events:
            for message in [event] if isinstance(event, OutgoingEvent) else outgoing(event):
                channel.basic_publish(EVENTS, message.key, message.body, message.properties)


def malformed(key: str, headers: dict[str, Any], body: bytes) -> OutgoingEvent:
    return OutgoingEvent(0, START, key, pika.BasicProperties(headers=headers, delivery_mode=2), body)


class Running:
    """A subscriber on a thread; `error` is what ended it."""

    def __init__(self, subscriber: Subscriber) -> None:
        self.subscriber, self.error = subscriber, None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.subscriber.run(signals=False)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def ended(self) -> bool:
        return not self._thread.is_alive()

    def stop(self) -> None:
        self.subscriber.stop()
        self._thread.join(PATIENCE)
        assert self.ended()


@contextmanager
def running(subscriber: Subscriber) -> Iterator[Running]:
    one = Running(subscriber)
    try:
        yield one
    finally:
        one.stop()
    assert one.error is None


def waiting_in(broker: Broker, queue: str) -> int:
    """How many messages are ready in a queue."""
    with broker.channel() as channel:
        return channel.queue_declare(queue, passive=True).method.message_count


def is_bound(broker: Broker, queue: Queue) -> None:
    """Wait until a new queue is there and consumed, hence bound."""

    def consumed() -> bool:
        if not broker.exists(queue.name):
            return False
        with broker.channel() as channel:
            return channel.queue_declare(queue.name, passive=True).method.consumer_count > 0

    wait_for(consumed)
