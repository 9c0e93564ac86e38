"""The log server: announces the head of one service's log, and answers pulls."""

from __future__ import annotations

import time
from contextlib import suppress
from threading import Event

import pika
import sqlalchemy as sa
import structlog
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ConnectionWrongStateError
from pika.spec import Basic

from shared.broker.amqp import (
    declare,
    declare_exchange,
    delete_outdated,
    keep_connected,
    parameters,
    transient,
    woken_by,
)
from shared.eventstore import log
from shared.eventstore.divergence import Divergence
from shared.messages.topology import (
    log_exchange,
    pulls,
)
from shared.messages.wire import (
    LogHead,
    Malformed,
    MessageBody,
    Pull,
    decode,
    encode,
    headers,
)
from shared.subscriptions.log_answers import answers

PULLS_AT_ONCE = 20


class LogServer:
    """Serves the log of one service to its readers.

    The writer publishes new events. A batch may be lost on its way, or when the writer dies. A reader sees the gap from
    the head that this server announces, and pulls the events from it.

    `head`: the log's last position, as last read. `answered`: how many pulls were answered. `connected`: whether there
    is a connection to a broker.
    """

    def __init__(self, service: str, engine: sa.Engine, amqp_url: str, *, every_seconds: float = 1.0) -> None:
        """The head is announced every `every_seconds`."""
        self.service, self.head, self.answered = service, 0, 0
        self.hash = b""
        self.engine, self._every = engine, every_seconds
        self._parameters = parameters(amqp_url, f"log server of {service}")
        self._log = structlog.get_logger().bind(log_server=service)
        self._connection: pika.BlockingConnection | None = None

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def run(self, stop: Event) -> None:
        """Serve until `stop` is set. Broker and database may fail and return, and may be missing at the start."""
        with woken_by(stop, self._wake):
            keep_connected(lambda: self._serve(stop), stop, self._log)

    def _wake(self) -> None:
        if connection := self._connection:
            with suppress(ConnectionWrongStateError):
                connection.add_callback_threadsafe(lambda: None)

    def _serve(self, stop: Event) -> None:
        self._look()
        with pika.BlockingConnection(self._parameters) as connection:
            delete_outdated(connection, pulls(self.service))
            session = _Session(self, connection.channel())
            self._connection = connection
            self._log.info("serving", head=self.head)
            try:
                self._turn(connection, session, stop)
            finally:
                self._connection = None

    def _turn(self, connection: pika.BlockingConnection, session: _Session, stop: Event) -> None:
        due = time.monotonic()
        while not stop.is_set():
            if time.monotonic() >= due:
                due = time.monotonic() + self._every
                self._look()
                session.announce(self.head, self.hash)
            session.answer()
            wait = max(0.0, due - time.monotonic())
            connection.process_data_events(wait)  # pyright: ignore[reportArgumentType] - the stubs say int

    def _look(self) -> None:
        with self.engine.connect() as connection:
            head = log.read_head(connection)
        self.head, self.hash = head.position, head.hash


class _QueueGone(ConnectionError):
    """The queue of pulls was deleted."""


class _Session:
    """The messages of a log server on one channel."""

    def __init__(self, server: LogServer, channel: BlockingChannel) -> None:
        self._server, self._channel = server, channel
        self._log = structlog.get_logger().bind(log_server=server.service)
        self._exchange = log_exchange(server.service)
        self._asked: dict[Pull, None] = {}
        self._last_tag, self._gone = 0, False
        declare_exchange(channel, self._exchange)
        declare(channel, pulls(server.service))
        channel.basic_qos(prefetch_count=PULLS_AT_ONCE)
        channel.add_on_cancel_callback(self._on_cancel)
        channel.basic_consume(pulls(server.service).name, self._on_pull)

    def announce(self, position: int, hash_: bytes) -> None:
        """Announce the log's head."""
        self._send(LogHead(self._server.service, position, hash_), exchange=self._exchange)

    def _send(self, body: MessageBody, *, exchange: str = "", queue: str = "") -> None:
        self._channel.basic_publish(exchange, queue, encode(body), transient(headers=headers(body)))

    def answer(self) -> None:
        """Answer the pulls that have arrived; equal pulls once."""
        if self._gone:
            raise _QueueGone("the queue of pulls was deleted")
        if not self._last_tag:
            return
        for pull in self._asked:
            for queue, body in answers(self._server.engine, pull):
                if isinstance(body, Divergence):
                    self._log.critical("a reader knows other events than this log holds", finding=str(body))
                self._send(body, queue=queue)
            self._server.answered += 1
        self._channel.basic_ack(self._last_tag, multiple=True)
        self._asked, self._last_tag = {}, 0

    def _on_pull(
        self, channel: BlockingChannel, method: Basic.Deliver, properties: pika.BasicProperties, body: bytes
    ) -> None:
        self._last_tag = method.delivery_tag
        try:
            match decode(body, beside=properties.headers):
                case Pull() as pull if pull.source == self._server.service and pull.after >= 0 and pull.limit > 0:
                    self._asked[pull] = None
                case other:
                    self._log.warning("not a pull of this log", kind=type(other).__name__)
        except Malformed as error:
            self._log.warning("dropped a message", error=str(error))

    def _on_cancel(self, _: object) -> None:
        self._gone = True
