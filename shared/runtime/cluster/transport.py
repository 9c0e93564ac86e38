"""The transport over RabbitMQ: the messages of one inbox, across reconnections."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from kombu.transport.pyamqp import Message

from shared.messages.topology import Queue
from shared.messages.wire import MessageBody, encode, headers
from shared.runtime.cluster.alarm import Alarm
from shared.runtime.cluster.broker_connection import ERRORS, BrokerConnection, BrokerSession

ENOUGH = 50  # with so many messages, waiting for more does not pay


class RabbitTransport:
    """Used by one thread. Any thread may ring `alarm` to end a `wait`."""

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
        """Wait at most `seconds` for messages or the alarm, and read the messages. When they are few, wait for more
        until `rest_until`, in seconds of the monotonic clock."""
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

    def send(self, queue: str, body: MessageBody) -> None:
        self._publish(body, queue=queue)

    def publish(self, exchange: str, body: MessageBody) -> None:
        self._publish(body, exchange=exchange)

    def acknowledge(self, last: Message) -> None:
        session = self.connection.session
        if session is not None and session.received(last):  # another session's message: the broker delivers it again
            self._guarded(lambda: session.acknowledge(last))

    def rebind(self) -> None:
        if session := self.connection.session:
            self._guarded(lambda: session.bind(self._inbox))

    def stop_receiving(self) -> None:
        """Stop consuming; messages that have arrived stay."""
        if session := self.connection.session:
            self._guarded(session.cancel)

    def close(self) -> None:
        """Close the connection. Messages that are not acknowledged are delivered again."""
        self.connection.close()

    def _publish(self, body: MessageBody, *, queue: str = "", exchange: str = "") -> None:
        if session := self.connection.session:
            self._guarded(lambda: session.publish(encode(body), queue=queue, exchange=exchange, headers=headers(body)))

    def _guarded(self, act: Callable[[], None]) -> None:
        """Run `act`; a broker error ends the session and is not raised."""
        session = self.connection.session
        try:
            act()
        except ERRORS as error:
            if session is not None:
                self.connection.lose(session, error)
