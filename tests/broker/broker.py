"""A real RabbitMQ, one a test session, behind a wire that can be cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR, create_connection, socket
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import pika
import pytest
from pika.exceptions import AMQPError

from deploy.local.infrastructure import Infrastructure
from deploy.local.rabbitmq import RabbitMQ
from shared.messages.topology import Queue
from shared.messages.wire import (
    LogHead,
    MessageBody,
    Pull,
    decode,
    encode,
)
from tests.servers import folder_with_servers
from tests.waiting import PATIENCE as SECONDS
from tests.waiting import wait_for

__all__ = ["SECONDS", "Broker", "Consumer", "Reader", "Relay", "broker", "rabbitmq", "servers", "wait_for"]


@pytest.fixture(scope="session")
def servers() -> Iterator[Infrastructure]:
    """The servers of this session; skips when they can't be had."""
    with folder_with_servers("kameng-broker-") as (_, found):
        yield found


@pytest.fixture(scope="session")
def rabbitmq(servers: Infrastructure) -> RabbitMQ:
    """The broker's process, to be killed; skips when it is not ours."""
    if servers.rabbitmq is None:
        pytest.skip("the broker is not ours to kill")
    return servers.rabbitmq


@pytest.fixture
def broker(servers: Infrastructure) -> Iterator[Broker]:
    """The broker and a wire to it. What a test makes there has names of the test's own, or is deleted at the end."""
    with Relay(servers.amqp_url) as relay:
        opened = Broker(servers.amqp_url, relay)
        yield opened
        opened.clean()


class Broker:
    """`direct_url` leads straight to the broker, `url` by the wire."""

    def __init__(self, direct_url: str, wire: Relay) -> None:
        self.direct_url, self.url, self.wire = direct_url, wire.url, wire
        self._made: list[str] = []

    @contextmanager
    def channel(self) -> Iterator[Any]:
        """A channel for a moment."""
        with pika.BlockingConnection(pika.URLParameters(self.direct_url)) as connection:
            yield connection.channel()

    def declare(self, queue: Queue) -> str:
        """Make a queue and give its name."""
        with self.channel() as channel:
            channel.queue_declare(queue.name, **queue.settings)
        self._made.append(queue.name)
        return queue.name

    def send(self, queue: str, body: MessageBody | bytes) -> None:
        """Put a message into a queue."""
        with self.channel() as channel:
            channel.confirm_delivery()
            channel.basic_publish("", queue, body if isinstance(body, bytes) else encode(body), mandatory=True)

    def tell(self, exchange: str, body: bytes) -> None:
        """Send a message to all that is bound to an exchange."""
        with self.channel() as channel:
            channel.basic_publish(exchange, "", body)

    def delete(self, *queues: str) -> None:
        with self.channel() as channel:
            for queue in queues:
                channel.queue_delete(queue)

    def purge(self, *queues: str) -> None:
        with self.channel() as channel:
            for queue in queues:
                channel.queue_purge(queue)

    def exists(self, queue: str) -> bool:
        try:
            with self.channel() as channel:
                channel.queue_declare(queue, passive=True)
        except AMQPError:
            return False
        return True

    def forget_later(self, *queues: str) -> None:
        """Delete these at the end of the test."""
        self._made += queues

    def clean(self) -> None:
        self.delete(*self._made)


class Relay:
    """A TCP wire to the broker."""

    def __init__(self, broker_url: str) -> None:
        address = urlsplit(broker_url)
        target = (address.hostname or "127.0.0.1", address.port or 5672)
        self._sockets: list[socket] = []
        self._down = False
        relay = self

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                relay.carry(self.request, target)

        self._server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = address._replace(
            netloc=f"{address.username}:{address.password}@127.0.0.1:{self._server.server_address[1]}"
        ).geturl()

    def __enter__(self) -> Relay:
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._server.shutdown()
        self._server.server_close()

    @property
    def carried(self) -> int:
        """How many connections were ever made through it."""
        return len(self._sockets) // 2

    def cut(self) -> None:
        """Break every connection; new ones are let through."""
        for end in self._sockets:
            with suppress(OSError):
                end.shutdown(SHUT_RDWR)

    @contextmanager
    def broken(self) -> Iterator[None]:
        """Nothing gets through for a while."""
        self._down = True
        self.cut()
        yield
        self._down = False

    def carry(self, near: socket, target: tuple[str, int]) -> None:
        """Carry bytes both ways until an end closes."""
        if self._down:
            return
        with suppress(OSError), create_connection(target) as far:
            self._sockets += [near, far]
            back = Thread(target=_copy, args=(far, near), daemon=True)
            back.start()
            _copy(near, far)
            back.join()


def _copy(source: socket, target: socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(SHUT_RDWR)


class Consumer:
    """Consumes a queue in a thread of its own, and begins anew when the connection or the queue is lost."""

    def __init__(self, url: str, queue: Queue, heard: Callable[[Consumer, MessageBody], None]) -> None:
        self._url, self.queue, self._heard = url, queue, heard
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self.channel: Any = None
        self.started = 0

    def __enter__(self) -> Consumer:
        self._thread.start()
        wait_for(lambda: self.started)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def say(self, queue: str, body: MessageBody) -> None:
        """Send to a queue; only while hearing."""
        self.channel.basic_publish("", queue, encode(body))

    def _run(self) -> None:
        while not self._stop.is_set():
            with suppress(AMQPError, OSError):
                self._session()

    def _session(self) -> None:
        gone = Event()
        with pika.BlockingConnection(pika.URLParameters(self._url)) as connection:
            self.channel = channel = connection.channel()
            channel.queue_declare(self.queue.name, **self.queue.settings)
            for exchange in self.queue.bound_to:
                channel.exchange_declare(exchange, "fanout")
                channel.queue_bind(self.queue.name, exchange)
            channel.add_on_cancel_callback(lambda _: gone.set())
            channel.basic_consume(
                self.queue.name, lambda _c, _m, _p, body: self._heard(self, decode(body)), auto_ack=True
            )
            self.started += 1
            while not self._stop.is_set() and not gone.is_set():
                connection.process_data_events(0.05)  # pyright: ignore[reportArgumentType] - the stubs say int


class Reader:
    """Follows a log as a service does: by its position. It drops events that it has and pulls those that it misses."""

    def __init__(self, source: str, pulls_queue: str) -> None:
        self.source, self.positions, self.pulled, self.heads = source, [0], 0, 0
        self._pulls = pulls_queue

    @property
    def position(self) -> int:
        return self.positions[-1]

    def hear(self, consumer: Consumer, body: Any) -> None:
        match body:
            case LogHead(_, position):
                self.heads += 1
                if position > self.position:
                    self._pull(consumer)
            case part if part.first > self.position + 1:
                self._pull(consumer)
            case part:
                self.positions += [one.position for one in part.events if one.position > self.position]

    def _pull(self, consumer: Consumer) -> None:
        self.pulled += 1
        consumer.say(self._pulls, Pull(self.source, self.position, 50, consumer.queue.name))
