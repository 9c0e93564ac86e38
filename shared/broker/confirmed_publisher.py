"""Sends events to subscribers on one connection, with publisher confirms, and knows which events the broker has."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from threading import Lock
from typing import Self
from uuid import uuid4

import pika
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel
from pika.exceptions import AMQPConnectionError
from pika.frame import Method
from pika.spec import Basic

from shared.broker import publisher_marks
from shared.broker.amqp import declare, transient
from shared.broker.cloudevents import OutgoingEvent, position_of
from shared.eventstore.checkpoints import PUBLISHER
from shared.eventstore.divergence import ReaderPosition
from shared.eventstore.healing import PublishedMark
from shared.messages.topology import (
    EVENTS,
    Queue,
    inbox,
    log_exchange,
    mark,
)
from shared.messages.wire import (
    KnownPosition,
    LogHead,
    Malformed,
    decode,
    encode,
    headers,
)

CLOSE_SECONDS = 2.0
HEAD = b'["head"'


class EventHeldBack(RuntimeError):
    """An event can't be published for now; no event behind it counts as sent."""

    def __init__(self, position: int, key: str, reason: str) -> None:
        super().__init__(f"{key} at position {position}: {reason}")
        self.position, self.key, self.reason = position, key, reason


class ConfirmedPublisher:
    """Sends a service's events in the order of their positions, without a gap, and listens for new events. Only `wake`
    may be called from other threads.

    `sent`: the last position handed over. `held`: the first event that the broker rejected, or, with `mandatory`, could
    route to no queue in any version. `marked`: the position up to which the broker stores that events may have been
    published; no event behind it may be sent.
    """

    def __init__(self, parameters: pika.URLParameters, service: str, after: int, *, mandatory: bool) -> None:
        self.sent = self._start = after
        self.marked, self.marking = 0, -1
        self._marks: deque[tuple[int, int]] = deque()
        self._marking = 0
        self._service, self._mark = service, mark(service)
        self._mark_channel: Channel | None = None
        self.asked = False
        self.held: EventHeldBack | None = None
        self._mandatory = mandatory
        self._loop, self._lock = IOLoop(), Lock()
        self._outstanding: deque[OutgoingEvent] = deque()
        self._answers, self._answered = 0, set[int]()
        self._hopes: dict[int, int] = {}
        self._channel: Channel | None = None
        self._ear = Queue(f"kameng.publisher.{uuid4().hex}", (log_exchange(service),), exclusive=True)
        self._is_ready = self._heard = False
        self._lost: BaseException | None = None
        self._loop.activate_poller()
        self._connection = pika.SelectConnection(
            parameters,
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._on_channel),
            on_open_error_callback=self._on_lost,
            on_close_callback=self._on_lost,
            custom_ioloop=self._loop,
        )

    @property
    def settled(self) -> int:
        """The last position up to which the broker has confirmed or rejected every event."""
        return self._outstanding[0].position - 1 if self._outstanding else self.sent

    @property
    def confirmed(self) -> int:
        """The last position up to which the broker has confirmed every event."""
        return self.settled if self.held is None else min(self.settled, self.held.position - 1)

    @property
    def has_begun(self) -> bool:
        """Whether the broker has confirmed any event of this connection."""
        return self.confirmed > self._start

    @property
    def oldest(self) -> OutgoingEvent | None:
        """The first event that was sent and is neither confirmed nor rejected."""
        return self._outstanding[0] if self._outstanding else None

    def __enter__(self) -> Self:
        """Connect, and wait until events can be sent. Raises the error that prevents it."""
        try:
            while not self._is_ready:
                self.turn(1.0)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        deadline = time.monotonic() + CLOSE_SECONDS
        if self._connection.is_open:
            self._connection.close()
        while not self._connection.is_closed and time.monotonic() < deadline:
            self._poll(0.1)
        with self._lock:
            self._loop.deactivate_poller()
            self._loop.close()

    def send(self, messages: Sequence[OutgoingEvent]) -> None:
        """Send the next event, in each published version."""
        channel, mandatory = self._channel, self._mandatory
        assert channel is not None
        for message in messages:
            channel.basic_publish(EVENTS, message.key, message.body, message.properties, mandatory=mandatory)
        self._outstanding.extend(messages)
        self.sent = messages[-1].position
        if mandatory:
            self._hopes[self.sent] = len(messages)

    def skip(self, position: int) -> None:
        """Count the next event as sent without sending it."""
        self.sent = position

    def mark(self, published: PublishedMark) -> None:
        """Have the broker store that events up to the mark may be published. `marked` grows when the broker
        confirms."""
        channel = self._mark_channel
        assert channel is not None
        channel.basic_publish("", self._mark.name, publisher_marks.body_of(published), publisher_marks.properties())
        self._marking += 1
        self._marks.append((self._marking, published.position))
        self.marking = published.position

    def tell_owner(self, reached: ReaderPosition) -> None:
        """Tell the log's writer how far the log is published."""
        channel = self._mark_channel
        assert channel is not None
        known = KnownPosition(PUBLISHER, self._service, reached.position, reached.hash)
        queue, properties = inbox(self._service, ()).name, transient(headers=headers(known))
        channel.basic_publish("", queue, encode(known), properties)
        self._marking += 1

    def turn(self, seconds: float) -> bool:
        """Run the connection's I/O for at most `seconds`. Returns whether the log has grown. Raises the error by which
        the connection was lost."""
        self._poll(seconds)
        if self._lost is not None:
            raise self._lost
        heard, self._heard = self._heard, False
        return heard

    def _poll(self, seconds: float) -> None:
        timer = self._loop.call_later(seconds, lambda: None)
        self._loop.poll()
        self._loop.process_timeouts()
        self._loop.remove_timeout(timer)

    def wake(self) -> None:
        """End a waiting `turn`. From any thread."""
        with self._lock:
            self._loop.add_callback_threadsafe(lambda: None)

    def _on_channel(self, channel: Channel) -> None:
        self._channel = channel
        channel.add_on_close_callback(lambda _, reason: self._on_lost(channel, reason))
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_answer)
        declare(channel, self._ear)
        channel.basic_consume(self._ear.name, self._on_batch, auto_ack=True)
        channel.exchange_declare(EVENTS, "topic", durable=True, callback=self._on_exchange)

    def _on_exchange(self, _: object) -> None:
        self._connection.channel(on_open_callback=self._on_mark_channel)

    def _on_mark_channel(self, channel: Channel) -> None:
        self._mark_channel = channel
        channel.add_on_close_callback(lambda _, reason: self._on_lost(channel, reason))
        channel.confirm_delivery(self._on_marked)
        channel.queue_declare(self._mark.name, **self._mark.settings, callback=self._on_ready)

    def _on_ready(self, _: object) -> None:
        self._is_ready = True

    def _on_marked(self, frame: Method) -> None:
        answer, last = frame.method, frame.method.delivery_tag
        if isinstance(answer, Basic.Nack):
            self._on_lost(None, "the broker does not store how far events are published")
            return
        kept = [one for one in self._marks if one[0] == last or (answer.multiple and one[0] < last)]
        if kept:  # another message on this channel may be confirmed before an earlier mark
            while self._marks[0] != kept[-1]:
                self._marks.popleft()
            self.marked = self._marks.popleft()[1]

    def _on_batch(self, _: Channel, _method: Basic.Deliver, properties: pika.BasicProperties, body: bytes) -> None:
        self._heard = True
        if body.startswith(HEAD):
            try:
                head = decode(body, beside=properties.headers)
            except Malformed:
                return  # only its writer's messages count
            self.asked |= isinstance(head, LogHead) and head.asks

    def _on_lost(self, _: object, reason: BaseException | str) -> None:
        error = reason if isinstance(reason, BaseException) else AMQPConnectionError(reason)
        self._lost = self._lost or error

    def _on_return(self, _: Channel, method: Basic.Return, properties: pika.BasicProperties, _body: bytes) -> None:
        position = position_of(properties)
        self._hopes[position] -= 1
        if not self._hopes[position]:
            self._hold(position, method.routing_key, "no queue is bound for it")

    def _on_answer(self, frame: Method) -> None:
        answer, last = frame.method, frame.method.delivery_tag
        first = self._answers + 1 if answer.multiple else last
        fresh = set(range(first, last + 1)) - self._answered
        if isinstance(answer, Basic.Nack) and fresh:
            refused = self._outstanding[min(fresh) - self._answers - 1]
            self._hold(refused.position, refused.key, "a queue refuses it")
        self._answered |= fresh
        while self._answers + 1 in self._answered:
            self._answers += 1
            self._answered.remove(self._answers)
            done = self._outstanding.popleft()
            if self.settled >= done.position:
                self._hopes.pop(done.position, None)

    def _hold(self, position: int, key: str, reason: str) -> None:
        if self.held is None or position < self.held.position:
            self.held = EventHeldBack(position, key, reason)
