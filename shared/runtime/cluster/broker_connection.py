"""The writer's connection to the broker: consumes its inbox, publishes batches, replies and pulls, reconnects."""

from __future__ import annotations

import fcntl
import sys
import termios
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import structlog
from kombu.connection import Connection
from kombu.transport.pyamqp import Message, Transport

from shared.messages.topology import OUTDATED, Queue
from shared.scheduler.scheduler import back_off

# Short, so that the broker redelivers the messages of a frozen process before its callers give up.
HEARTBEAT_SECONDS = 5
ANSWER_SECONDS = 5
FRAME_SECONDS = 0.01
STEADY_SECONDS = 5.0
LONGEST_BACK_OFF = 5.0
PREFETCH = 400
LASTING = {"durable": False, "auto_delete": False}
ERRORS = (*Transport.connection_errors, *Transport.channel_errors)
logger = structlog.get_logger()


class BrokerSession:
    """One connection that consumes one inbox. After any of ERRORS it cannot be used any more.

    One thread drains, publishes, acknowledges and closes; another one may send heartbeats.
    """

    def __init__(self, url: str, inbox: Queue, exchanges: Sequence[str]) -> None:
        self.arrived: deque[Message] = deque()
        self.failure: Exception | None = None
        self.began = time.monotonic()
        self._wire, self._parted = threading.RLock(), False
        # The client's own methods would reconnect by themselves, to a connection that consumes nothing.
        client = Connection(url, heartbeat=HEARTBEAT_SECONDS, connect_timeout=ANSWER_SECONDS)
        self._connection = client.transport.establish_connection()
        try:
            self._connection.sock.settimeout(ANSWER_SECONDS)
            self._channel = self._connection.channel()
            for exchange in exchanges:
                self._channel.exchange_declare(exchange, "fanout", **LASTING)
            self._consume(inbox)
        except BaseException:
            self.abandon()
            raise

    def _consume(self, inbox: Queue) -> None:
        self._delete_outdated(inbox)
        channel = self._channel
        channel.queue_declare(inbox.name, **inbox.settings)
        self.bind(inbox)
        channel.basic_qos(0, PREFETCH, False)
        self._tag = channel.basic_consume(inbox.name, callback=self.arrived.append)

    def _delete_outdated(self, inbox: Queue) -> None:
        channel = self._connection.channel()
        try:
            channel.queue_declare(inbox.name, **inbox.settings)
        except Transport.channel_errors as error:
            if getattr(error, "reply_code", None) not in OUTDATED:
                raise
            channel = self._connection.channel()
            channel.queue_delete(inbox.name)
        channel.close()

    def bind(self, inbox: Queue) -> None:
        """Bind the inbox to its exchanges; existing bindings stay."""
        with self._wire:
            for exchange in inbox.bound_to:
                self._channel.exchange_declare(exchange, "fanout", **LASTING)
                self._channel.queue_bind(inbox.name, exchange)

    @property
    def fileno(self) -> int:
        """The number of the socket that is readable when there is something to drain."""
        return self._connection.sock.fileno()

    def drain(self) -> None:
        """Read all that the broker has sent. Call it when the socket is readable; it waits only for the end of a
        frame."""
        with self._wire:
            try:
                # With a timeout of 0, py-amqp spins until the rest of a frame has arrived.
                self._connection.drain_events(timeout=FRAME_SECONDS)
                while self._has_more():
                    self._connection.drain_events(timeout=FRAME_SECONDS)
            except TimeoutError:
                return

    def _has_more(self) -> bool:
        sock = self._connection.sock
        if getattr(sock, "pending", int)():
            return True
        unread = fcntl.ioctl(sock.fileno(), termios.FIONREAD, bytes(4))
        return int.from_bytes(unread, sys.byteorder) > 0

    def publish(
        self, body: bytes, *, queue: str = "", exchange: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send to a queue, or to all queues that are bound to an exchange. A message for a missing queue is lost."""
        with self._wire:
            message = self._channel.prepare_message(
                body,
                content_type="application/json",
                content_encoding="utf-8",
                headers=dict(headers or {}),
                properties={"delivery_mode": 1},
            )
            self._channel.basic_publish(message, exchange=exchange, routing_key=queue)

    def received(self, message: Message) -> bool:
        """Whether this session received a message."""
        return message.channel is self._channel

    def acknowledge(self, last: Message) -> None:
        """Acknowledge this message and all before it."""
        with self._wire:
            self._channel.basic_ack(last.delivery_tag, multiple=True)

    def beat(self) -> None:
        """Send a heartbeat if one is due. Raises one of ERRORS when the broker has been silent for too long."""
        with self._wire:
            if not self._parted:
                self._connection.heartbeat_tick(rate=2)

    def cancel(self) -> None:
        """Stop consuming. Received messages that are not acknowledged go back to the queue when the session closes."""
        with self._wire:
            self._channel.basic_cancel(self._tag)

    def close(self) -> None:
        """Close the connection after the broker has received every acknowledgement."""
        with self._wire:
            try:
                self._connection.close()
            except ERRORS as error:
                logger.info("the broker did not take leave", error=type(error).__name__)
            self.abandon()

    def abandon(self) -> None:
        """Close the socket without the closing handshake."""
        with self._wire:
            self._parted = True
            self._connection.collect()


class BrokerConnection:
    """Keeps a session open: when one fails, it makes the next. Each declares the `exchanges` that it publishes to.

    `on_change` is called, from another thread, when there is a new `session` and when it has failed.
    """

    def __init__(self, url: str, inbox: Queue, exchanges: Sequence[str], on_change: Callable[[], object]) -> None:
        self.session: BrokerSession | None = None
        self._url, self._inbox, self._exchanges, self._on_change = url, inbox, exchanges, on_change
        self._failures = 0
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def _keep(self) -> None:
        while not self._over.wait(self._back_off()):
            try:
                session = BrokerSession(self._url, self._inbox, self._exchanges)
            except ERRORS as error:
                self._failures += 1
                logger.warning("no broker, trying again", failures=self._failures, error=type(error).__name__)
                continue
            self.session = session
            logger.info("consuming", queue=self._inbox.name)
            self._on_change()
            self._look_after(session)

    def _back_off(self) -> float:
        return back_off(self._failures, 0.05, LONGEST_BACK_OFF).total_seconds() if self._failures else 0.0

    def _look_after(self, session: BrokerSession) -> None:
        while self.session is session and not self._over.wait(HEARTBEAT_SECONDS / 5):
            if session.failure is None:
                try:
                    session.beat()
                except ERRORS as error:
                    session.failure = error
                    self._on_change()
        self._failures = 0 if time.monotonic() - session.began > STEADY_SECONDS else self._failures + 1

    def lose(self, session: BrokerSession, error: Exception) -> None:
        """Give up a session that failed; another one follows. Call it from the thread that drains."""
        logger.warning("the broker's connection is lost", error=type(error).__name__)
        self.session = None
        session.abandon()

    def close(self) -> None:
        """Close the last session, and make no more. Call it from the thread that drains."""
        self._over.set()
        self._keeper.join()
        if self.session is not None:
            self.session.close()
            self.session = None


def reachable(url: str) -> bool:
    """Whether a broker accepts a connection."""
    client = Connection(url, connect_timeout=ANSWER_SECONDS)
    try:
        client.transport.establish_connection().close()
    except ERRORS:
        return False
    return True
