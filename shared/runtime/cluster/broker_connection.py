"""The writer's own connection to the broker: its inbox comes in, replies and pulls go out."""

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

# Short, so that what was sent to a frozen process comes back before its callers give up.
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
    """One connection that consumes one inbox; after any of ERRORS it is of no more use.

    Only one thread may drain, publish, acknowledge and close; another may send heartbeats meanwhile.
    """

    def __init__(self, url: str, inbox: Queue, exchanges: Sequence[str]) -> None:
        self.arrived: deque[Message] = deque()
        self.failure: Exception | None = None
        self.began = time.monotonic()
        self._wire, self._parted = threading.RLock(), False
        # Not through the client's own methods: they reconnect unasked, to a connection that consumes nothing.
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
        """Have the inbox hear its exchanges; what is bound already stays as it is."""
        with self._wire:
            for exchange in inbox.bound_to:
                self._channel.exchange_declare(exchange, "fanout", **LASTING)
                self._channel.queue_bind(inbox.name, exchange)

    @property
    def fileno(self) -> int:
        """The number of the socket that is readable when there is something to drain."""
        return self._connection.sock.fileno()

    def drain(self) -> None:
        """Take in all that the broker has sent, once its socket is readable; waits for no more than a frame's end."""
        with self._wire:
            try:
                # Never with a timeout of 0: py-amqp then spins until the rest of a frame is there.
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
        """Send to a queue, one that is not there loses it; or to all that is bound to an exchange."""
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
        """Whether a message came by this session."""
        return message.channel is self._channel

    def acknowledge(self, last: Message) -> None:
        """This message and all before it are settled."""
        with self._wire:
            self._channel.basic_ack(last.delivery_tag, multiple=True)

    def beat(self) -> None:
        """Send a heartbeat if one is due. Raises one of ERRORS when the broker has been silent for too long."""
        with self._wire:
            if not self._parted:
                self._connection.heartbeat_tick(rate=2)

    def cancel(self) -> None:
        """Have no more messages sent. What came and is not acknowledged goes back when the session is closed."""
        with self._wire:
            self._channel.basic_cancel(self._tag)

    def close(self) -> None:
        """Part from the broker once it has taken in every acknowledgement."""
        with self._wire:
            try:
                self._connection.close()
            except ERRORS as error:
                logger.info("the broker did not take leave", error=type(error).__name__)
            self.abandon()

    def abandon(self) -> None:
        """Part from the broker without a word."""
        with self._wire:
            self._parted = True
            self._connection.collect()


class BrokerConnection:
    """One session after the other, for ever; each declares the `exchanges` that it publishes to.

    `on_change` is called, from another thread, when a new `session` is there and when it has failed.
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
        """A session has failed; another one will come. From the thread that drains."""
        logger.warning("the broker's connection is lost", error=type(error).__name__)
        self.session = None
        session.abandon()

    def close(self) -> None:
        """No more sessions; the last one ends in good order. From the thread that drains."""
        self._over.set()
        self._keeper.join()
        if self.session is not None:
            self.session.close()
            self.session = None


def reachable(url: str) -> bool:
    """Whether a broker lets us in."""
    client = Connection(url, connect_timeout=ANSWER_SECONDS)
    try:
        client.transport.establish_connection().close()
    except ERRORS:
        return False
    return True
