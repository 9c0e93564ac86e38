"""What a publisher has told the outside, kept at the broker: who restores the database does not set that back."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker

from shared.broker.amqp import describe, parameters
from shared.eventstore.healing import PublishedMark
from shared.messages.topology import NOT_FOUND, mark

PERSISTENT = 2
LOOKS, BETWEEN_SECONDS = 30, 0.1


def body_of(told: PublishedMark) -> bytes:
    """A mark as a message has it."""
    return json.dumps({"position": told.position, "hash": told.hash.hex(), "safe": told.safe}).encode()


def properties() -> pika.BasicProperties:
    """Those of a message that outlives the broker's process."""
    return pika.BasicProperties(content_type="application/json", delivery_mode=PERSISTENT)


def read_mark(connection: pika.BlockingConnection, service: str) -> PublishedMark | None:
    """What the service's publisher has kept last; None when there is nothing, or the broker has lost it.

    It stays where it is. A publisher puts it there as soon as it has made the queue, and whoever else looks at it has
    it for a moment: that there is none is believed only after many looks. Raises ChannelClosedByBroker when the queue
    is there and can't be read.
    """
    channel = connection.channel()
    try:
        channel.queue_declare(mark(service).name, passive=True)
    except ChannelClosedByBroker as error:
        if error.reply_code == NOT_FOUND and "no queue" in error.reply_text:
            return None
        raise
    try:
        for look in range(LOOKS):
            if look:
                connection.sleep(BETWEEN_SECONDS)
            if (told := _look(channel, service)) is not None:
                return told
        return None
    finally:
        channel.close()


def _look(channel: BlockingChannel, service: str) -> PublishedMark | None:
    method, _, body = channel.basic_get(mark(service).name)
    if method is None or body is None or method.delivery_tag is None:
        return None
    channel.basic_nack(method.delivery_tag, requeue=True)
    told = json.loads(body)
    return PublishedMark(int(told["position"]), bytes.fromhex(told["hash"]), int(told["safe"]))


class NoBroker(ConnectionError):
    """The broker can't be asked."""


def read_marks(url: str, services: Iterable[str]) -> dict[str, PublishedMark]:
    """The marks of these services' publishers, of those that have one. Raises NoBroker."""
    try:
        with pika.BlockingConnection(parameters(url, "marks")) as connection:
            found = {service: read_mark(connection, service) for service in services}
    except (AMQPError, OSError) as error:
        raise NoBroker(describe(error)) from error
    return {service: told for service, told in found.items() if told is not None}
