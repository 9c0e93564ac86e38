"""One connection of a BrokerClient with a queue for replies, run on an I/O loop that outlives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pika
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel
from pika.exceptions import AMQPConnectionError, ChannelClosedByBroker

from shared.broker.amqp import declare, transient
from shared.messages.topology import NOT_FOUND, Queue


class ClientConnection:
    """All methods are called on the loop's thread.

    Callbacks: `ready`: messages can be sent. `heard`: a message with these headers arrived in `queue`. `returned`: the
    broker could route a mandatory message to no queue.
    """

    def __init__(
        self,
        loop: IOLoop,
        parameters: pika.ConnectionParameters | pika.URLParameters,
        queue: Queue,
        *,
        ready: Callable[[], None],
        heard: Callable[[bytes, Mapping[str, Any]], None],
        returned: Callable[[bytes], None],
    ) -> None:
        self.queue = queue
        self._loop, self._parameters = loop, parameters
        self._ready, self._heard, self._returned = ready, heard, returned
        self._connection: pika.SelectConnection | None = None
        self._channel: Channel | None = None
        self._consuming, self._blocked = False, False
        self._lost: BaseException | None = None

    @property
    def can_send(self) -> bool:
        return self._consuming and not self._blocked and self._lost is None

    def run(self) -> None:
        """Connect, and run the loop until the connection is lost. Raises the error by which it was lost."""
        self._connection = pika.SelectConnection(
            self._parameters,
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_lost,
            on_close_callback=self._on_lost,
            custom_ioloop=self._loop,
        )
        try:
            while self._lost is None:
                self._loop.start()
        except Exception as error:
            self._lost = error
            self.close()
            raise
        raise self._lost

    def publish(self, queue: str, body: bytes, *, mandatory: bool, lasting_seconds: float) -> None:
        """Send to a queue, if `can_send`."""
        if self._channel is not None:
            self._channel.basic_publish("", queue, body, transient(lasting_seconds), mandatory=mandatory)

    def count_consumers(self, queue: str, counted: Callable[[int], None]) -> None:
        """Call `counted` with the number of a queue's consumers, 0 for a missing queue; not when the connection is
        lost."""
        if self._connection is None or not self._connection.is_open:
            return

        def ask(channel: Channel) -> None:
            channel.add_on_close_callback(refused)
            channel.queue_declare(queue, passive=True, callback=lambda frame: answer(channel, frame))

        def answer(channel: Channel, frame: Any) -> None:
            channel.close()
            counted(frame.method.consumer_count)

        def refused(_: Channel, reason: Exception) -> None:
            if isinstance(reason, ChannelClosedByBroker) and reason.reply_code == NOT_FOUND:
                counted(0)

        self._connection.channel(on_open_callback=ask)

    def close(self) -> None:
        """Start the closing handshake; `run` ends when the broker has answered."""
        if self._connection is not None and self._connection.is_open:
            self._connection.close()

    def abandon(self) -> None:
        """End `run` now, without the handshake."""
        self._lose(AMQPConnectionError("abandoned"))

    def _on_open(self, connection: pika.SelectConnection) -> None:
        if self._lost is not None:
            connection.close()
            return
        connection.add_on_connection_blocked_callback(lambda *_: self._block(True))
        connection.add_on_connection_unblocked_callback(lambda *_: self._block(False))
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Channel) -> None:
        self._channel = channel
        channel.add_on_close_callback(lambda _, reason: self._give_up(reason))
        channel.add_on_cancel_callback(lambda _: self._give_up(AMQPConnectionError("the queue of replies was deleted")))
        channel.add_on_return_callback(lambda _channel, _method, _properties, body: self._returned(body))
        declare(channel, self.queue)
        channel.basic_consume(
            self.queue.name,
            lambda _channel, _method, properties, body: self._heard(body, properties.headers or {}),
            auto_ack=True,
            callback=self._on_consuming,
        )

    def _on_consuming(self, _: object) -> None:
        self._consuming = True
        self._ready()

    def _block(self, blocked: bool) -> None:
        self._blocked = blocked
        if self.can_send:
            self._ready()

    def _give_up(self, reason: BaseException) -> None:
        self._lose(reason)
        self.close()

    def _on_lost(self, _: object, reason: BaseException | str) -> None:
        self._lose(reason if isinstance(reason, BaseException) else AMQPConnectionError(reason))

    def _lose(self, reason: BaseException) -> None:
        self._lost = self._lost or reason
        self._loop.stop()
