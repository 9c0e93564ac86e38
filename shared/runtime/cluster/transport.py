"""The transport of a writer's process: its inbox at RabbitMQ, one connection after the other."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from kombu.transport.pyamqp import Message

from shared.messages.topology import Queue
from shared.messages.wire import Wire, encode, headers
from shared.runtime.cluster.alarm import Alarm
from shared.runtime.cluster.broker_connection import ERRORS, BrokerConnection, BrokerSession

ENOUGH = 50  # messages for which no rest makes a batch better


class RabbitTransport:
    """Used by one thread. `alarm` is rung from any other when `wait` shall end."""

    def __init__(self, amqp_url: str, inbox: Queue, exchanges: list[str], alarm: Alarm) -> None:
        self._inbox, self._alarm = inbox, alarm
        self.connection = BrokerConnection(amqp_url, inbox, exchanges, alarm.ring)
        self._nothing: deque[Message] = deque()

    @property
    def session(self) -> BrokerSession | None:
        session = self.connection.session
        if session is not None and session.failure is not None:
            self.connection.lose(session, session.failure)
            return None
        return session

    @property
    def arrived(self) -> deque[Message]:
        session = self.connection.session
        return session.arrived if session is not None else self._nothing

    def wait(self, seconds: float, rest_until: float) -> None:
        """Wait, at most so long, for messages or a ring, and take in the messages. With few of them, rest until
        `rest_until`, in seconds of the monotonic clock, for more to come."""
        session = self.session
        if not self._alarm.wait(seconds, session.fileno if session else None) or session is None:
            return
        self._guarded(session.drain)
        left = rest_until - time.monotonic()
        if left <= 0 or len(session.arrived) >= ENOUGH:
            return
        time.sleep(left)
        if session is self.connection.session and self._alarm.wait(0, session.fileno):
            self._guarded(session.drain)

    def send(self, queue: str, body: Wire) -> None:
        self._publish(body, queue=queue)

    def publish(self, exchange: str, body: Wire) -> None:
        self._publish(body, exchange=exchange)

    def acknowledge(self, last: Message) -> None:
        session = self.connection.session
        if session is not None and session.received(last):  # else the broker sends it again
            self._guarded(lambda: session.acknowledge(last))

    def bind_again(self) -> None:
        if session := self.connection.session:
            self._guarded(lambda: session.bind(self._inbox))

    def stop_receiving(self) -> None:
        """Take no new messages; what has come is kept."""
        if session := self.connection.session:
            self._guarded(session.cancel)

    def close(self) -> None:
        """Take leave of the broker. What was received and is not acknowledged comes again."""
        self.connection.close()

    def _publish(self, body: Wire, *, queue: str = "", exchange: str = "") -> None:
        if session := self.connection.session:
            self._guarded(lambda: session.publish(encode(body), queue=queue, exchange=exchange, headers=headers(body)))

    def _guarded(self, act: Callable[[], None]) -> None:
        """What fails at the broker ends the session and nothing else."""
        session = self.connection.session
        try:
            act()
        except ERRORS as error:
            if session is not None:
                self.connection.lose(session, error)
