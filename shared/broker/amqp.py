"""What all connections to RabbitMQ through pika share: parameters, declaring queues, reconnecting."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread

import pika
import tenacity
from pika.adapters.blocking_connection import BlockingChannel
from pika.channel import Channel
from pika.exceptions import AMQPError, ChannelClosedByBroker
from structlog.typing import FilteringBoundLogger

from shared.messages.topology import OUTDATED, Queue

HEARTBEAT_SECONDS = 5
CONNECT_SECONDS = 5
BLOCKED_SECONDS = 30
STEADY_SECONDS = 1.0

# pika logs a page for every lost connection; `keep_connected` logs a line.
logging.getLogger("pika").setLevel(logging.CRITICAL)


def parameters(url: str, name: str) -> pika.URLParameters:
    """The connection parameters for amqp://user:password@host:port/vhost. The broker lists the connection as `name`."""
    given = pika.URLParameters(url)
    given.heartbeat = HEARTBEAT_SECONDS
    given.socket_timeout = given.stack_timeout = CONNECT_SECONDS
    given.blocked_connection_timeout = BLOCKED_SECONDS
    given.client_properties = {"connection_name": name}
    return given


def reachable(given: pika.URLParameters) -> bool:
    """Whether a broker accepts a connection."""
    try:
        pika.BlockingConnection(given).close()
    except (AMQPError, OSError):
        return False
    return True


def transient(lasting_seconds: float | None = None, headers: Mapping[str, str] | None = None) -> pika.BasicProperties:
    """The properties of a message that is kept in memory only, and expires after `lasting_seconds`."""
    lasting = None if lasting_seconds is None else str(int(lasting_seconds * 1000))
    return pika.BasicProperties(
        content_type="application/json", delivery_mode=1, expiration=lasting, headers=dict(headers or {}) or None
    )


def declare(channel: BlockingChannel | Channel, queue: Queue) -> None:
    """Declare a queue and the exchanges that it is bound to, and bind it."""
    channel.queue_declare(queue.name, **queue.settings)
    for exchange in queue.bound_to:
        declare_exchange(channel, exchange)
        channel.queue_bind(queue.name, exchange)


def delete_outdated(connection: pika.BlockingConnection, queue: Queue) -> None:
    """Delete a queue that exists with other settings, so that it can be declared again."""
    channel = connection.channel()
    try:
        channel.queue_declare(queue.name, **queue.settings)
    except ChannelClosedByBroker as error:
        if error.reply_code not in OUTDATED:
            raise
        channel = connection.channel()
        channel.queue_delete(queue.name)
    channel.close()


def declare_exchange(channel: BlockingChannel | Channel, exchange: str) -> None:
    """Declare the exchange of a log."""
    channel.exchange_declare(exchange, "fanout")


@contextmanager
def woken_by(stop: Event, wake: Callable[[], object]) -> Iterator[None]:
    """Call `wake`, on another thread, when `stop` is set. Leave the `with` block only after that."""
    helper = Thread(target=lambda: stop.wait() and wake(), daemon=True)
    helper.start()
    yield
    helper.join()


def keep_connected(
    session: Callable[[], None],
    stop: Event,
    log: FilteringBoundLogger,
    sleep: Callable[[float], None] | None = None,
) -> None:
    """Run `session` again and again until `stop` is set, with growing pauses while it fails at once."""

    def attempt() -> None:
        since = time.monotonic()
        try:
            if not stop.is_set():
                session()
        except Exception as error:
            if stop.is_set():
                return
            if time.monotonic() - since < STEADY_SECONDS:
                raise
            log.warning("session lost", error=describe(error))

    def log_failure(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("session failed", attempt=state.attempt_number, error=describe(error))

    retrying = tenacity.Retrying(
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=5),
        stop=tenacity.stop_when_event_set(stop),
        sleep=sleep or tenacity.sleep_using_event(stop),
        before_sleep=log_failure,
        retry_error_callback=lambda _: None,
    )
    while not stop.is_set():
        retrying(attempt)


def describe(error: BaseException | None) -> str:
    """An error as one line of text."""
    return f"{type(error).__name__}: {error}".split("\n")[0]
