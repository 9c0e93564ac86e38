"""The subscriber's own queue at the broker: declared, bound, and consumed on a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from kameng_subscriber.errors import Misconfigured, Unavailable
from kameng_subscriber.selecting import Selection

EXCHANGE = "kameng.events"
DEAD, AGAIN = "dead", "again"  # the keys at the subscriber's own exchange
HEARTBEAT_SECONDS = 10
CONNECT_SECONDS = 5
NEW_SECONDS = 2.0
WAIT_SECONDS = 1
ALONE = 0
NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable quorum queue `name` at `amqp_url`, amqp://user:password@host:port/vhost, or amqps://.

    `prefetch` messages are on their way to the handler at most. A message that has come back `delivery_limit` times,
    because the subscriber died over it or was lost, becomes a dead letter in the queue `<name>.dead`; a direct exchange
    `<name>` leads to both. Several processes may consume: one is at work, the others stand by.
    """

    amqp_url: str
    name: str
    prefetch: int = 100
    delivery_limit: int = 20

    def __post_init__(self) -> None:
        if not self.name or self.name.startswith("amq.") or len(self.name.encode()) > 200:
            raise Misconfigured("a queue needs a name of its own, of up to 200 bytes")
        if urlsplit(self.amqp_url).scheme not in ("amqp", "amqps"):
            raise Misconfigured("the broker's URL must begin with amqp:// or amqps://")
        if self.prefetch < 1 or self.delivery_limit < 1:
            raise Misconfigured("`prefetch` and `delivery_limit` begin at 1")

    def __repr__(self) -> str:
        return f"Queue({self.name!r})"

    @property
    def dead(self) -> str:
        """The name of its queue for dead letters."""
        return f"{self.name}.dead"

    @property
    def arguments(self) -> dict[str, Any]:
        """Dead letters go from queue to queue inside the broker, and are never on neither. That wants the overflow
        `reject-publish`; as the queue has no limit of length, it refuses nothing."""
        return {
            "x-queue-type": "quorum",
            "x-single-active-consumer": True,
            "x-delivery-limit": self.delivery_limit,
            "x-dead-letter-exchange": self.name,
            "x-dead-letter-routing-key": DEAD,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }

    @property
    def dead_arguments(self) -> dict[str, Any]:
        """To look at dead letters counts as delivering them, and brokers of version 4 have a limit if none is told."""
        return {"x-queue-type": "quorum", "x-delivery-limit": 10**9}

    def connect(self) -> pika.BlockingConnection:
        """Raises Misconfigured or Unavailable."""
        parameters = pika.URLParameters(self.amqp_url)
        parameters.heartbeat = HEARTBEAT_SECONDS
        parameters.socket_timeout = parameters.stack_timeout = CONNECT_SECONDS
        parameters.client_properties = {"connection_name": f"subscriber {self.name}"}
        try:
            return pika.BlockingConnection(parameters)
        except (AuthenticationError, ProbableAuthenticationError, ProbableAccessDeniedError):
            raise Misconfigured("the broker refuses this user, password or virtual host") from None
        except (AMQPError, OSError) as error:
            raise Unavailable(f"the broker does not answer: {type(error).__name__}") from None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message, and the number by which it is answered."""

    tag: int
    headers: Mapping[str, object]
    body: bytes


class Line:
    """A connection to the queue, whose I/O runs on a thread of its own, so that a slow handler loses no heartbeat.

    Raises Misconfigured or Unavailable, `next` as well.
    """

    def __init__(self, queue_: Queue, selection: Selection) -> None:
        self._queue, self._selection = queue_, selection
        self._inbox: queue.SimpleQueue[Delivery | Exception] = queue.SimpleQueue()
        self._answers: deque[tuple[int, bool]] = deque()
        self._closing = threading.Event()
        self._connection = queue_.connect()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        if self._thread is None:
            with suppress(AMQPError):
                self._connection.close()
            return
        with suppress(AMQPError):
            self._connection.add_callback_threadsafe(lambda: None)
        self._thread.join(CONNECT_SECONDS)

    def finds_queue(self) -> bool:
        """Whether the queue is there."""
        with explained(self._queue.name):
            try:
                self._connection.channel().queue_declare(self._queue.name, passive=True)
            except ChannelClosedByBroker as error:
                if error.reply_code != NOT_FOUND:
                    raise
                return False
            return True

    def bind(self, closing: threading.Event, *, new: bool) -> None:
        """Declare and bind the queue.

        A `new` queue is given `NEW_SECONDS` before it is bound. RabbitMQ notes down which log on disk is whose some
        time later. Killed before that, it brings up a queue that neither takes nor gives anything, for ever; were it
        bound, every publisher would wait for it.
        """
        with explained(self._queue.name):
            channel = self._connection.channel()
            self._declare(channel)
            if new:
                closing.wait(NEW_SECONDS)
            for pattern in self._selection.patterns:
                channel.queue_bind(self._queue.name, EXCHANGE, pattern)
            channel.close()

    def _declare(self, channel: BlockingChannel) -> None:
        """The exchange is the subscriber's own, so that it needs no right to send to anybody else's queue."""
        name, dead = self._queue.name, self._queue.dead
        channel.exchange_declare(name, "direct", durable=True)
        channel.queue_declare(dead, durable=True, arguments=self._queue.dead_arguments)
        channel.queue_bind(dead, name, DEAD)
        channel.queue_declare(name, durable=True, arguments=self._queue.arguments)
        channel.queue_bind(name, name, AGAIN)

    def listen(self, prefetch: int) -> None:
        """Begin to consume; from now on the connection belongs to its thread. With `ALONE` one message comes only."""
        self._thread = threading.Thread(target=self._run, args=(prefetch,), name="kameng subscriber", daemon=True)
        self._thread.start()

    def next(self, seconds: float) -> Delivery | None:
        """The next message, None when none came in time. Raises what the connection was lost by."""
        try:
            came = self._inbox.get(timeout=seconds)
        except queue.Empty:
            return None
        if isinstance(came, Exception):
            raise came
        return came

    def accept(self, tag: int) -> None:
        """This message, and all before it that were not rejected, are handled."""
        self._answer(tag, accepted=True)

    def reject(self, tag: int) -> None:
        """This message becomes a dead letter."""
        self._answer(tag, accepted=False)

    def _answer(self, tag: int, *, accepted: bool) -> None:
        self._answers.append((tag, accepted))
        with suppress(AMQPError):  # its thread tells that it is lost
            self._connection.add_callback_threadsafe(lambda: None)

    def _run(self, prefetch: int) -> None:
        try:
            with explained(self._queue.name):
                self._consume(prefetch)
        except Exception as error:  # noqa: BLE001 - it is raised where messages are waited for
            self._inbox.put(error)
        finally:
            with suppress(AMQPError):
                self._connection.close()

    def _consume(self, prefetch: int) -> None:
        channel = self._connection.channel()
        channel.add_on_cancel_callback(lambda _: self._inbox.put(Unavailable(f"{self._queue.name} was deleted")))
        channel.basic_qos(prefetch_count=max(prefetch, 1))
        consumer = channel.basic_consume(self._queue.name, self._on_message)
        while not self._closing.is_set():
            self._connection.process_data_events(WAIT_SECONDS)
            if not channel.is_open:
                raise Unavailable(f"the broker closed the channel of {self._queue.name}; its log says why")
            if prefetch == ALONE and self._answers:
                channel.basic_cancel(consumer)  # or the answer brings the next one, which comes back as tried
            self._send_answers(channel)
        self._send_answers(channel)

    def _send_answers(self, channel: BlockingChannel) -> None:
        """Those that are there; of acceptances in a row only the last one needs to travel."""
        while self._answers:
            tag, accepted = self._answers.popleft()
            while accepted and self._answers and self._answers[0][1]:
                tag, _ = self._answers.popleft()
            if accepted:
                channel.basic_ack(tag, multiple=True)
            else:
                channel.basic_reject(tag, requeue=False)

    def _on_message(self, _: object, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        self._inbox.put(Delivery(method.delivery_tag, properties.headers or {}, body))


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Says in words what the broker's errors mean: raises Misconfigured or Unavailable in their place."""
    try:
        yield
    except (ChannelClosedByBroker, ConnectionClosedByBroker) as error:
        raise _meaning(name, error.reply_code, error.reply_text) from None
    except (AMQPError, OSError) as error:
        raise Unavailable(f"the broker was lost: {type(error).__name__}") from None


def _meaning(name: str, code: int, text: str) -> Exception:
    match code:
        case 404 if "no queue" in text:
            missing = text.split("'")[1]
            return Unavailable(f"there is no queue {missing}")
        case 403:
            return Misconfigured(f"the broker does not let this user do this: {text}")
        case 406 if "inequivalent" in text:
            return Misconfigured(
                f"the queue {name} is there with other properties: give this one another name, or delete that: {text}"
            )
        case 404 if EXCHANGE in text:
            return Unavailable(f"there is no exchange {EXCHANGE} yet: does a publisher run?")
        case 541:
            return Unavailable(
                f"the queue {name} does not answer. If that goes on, the broker has lost its place on disk: delete the "
                f"queue (python -m kameng_subscriber delete {name}); it is made anew and filled from the feed"
            )
    return Unavailable(f"the broker says {code}: {text}")
