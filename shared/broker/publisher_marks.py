"""Stores at the broker how far a log is published: restoring the database from a backup does not change it."""

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


def body_of(published: PublishedMark) -> bytes:
    """The message body of a mark."""
    return json.dumps({"position": published.position, "hash": published.hash.hex(), "safe": published.safe}).encode()


def properties() -> pika.BasicProperties:
    """The properties of a durable message."""
    return pika.BasicProperties(content_type="application/json", delivery_mode=PERSISTENT)


def read_mark(connection: pika.BlockingConnection, service: str) -> PublishedMark | None:
    """The mark that the service's publisher has stored last; None when there is none.

    The mark stays in its queue. Another reader may hold the message for a moment, so a missing mark is believed only
    after several attempts. Raises ChannelClosedByBroker when the queue exists and can't be read.
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
            if (found := _look(channel, service)) is not None:
                return found
        return None
    finally:
        channel.close()


def _look(channel: BlockingChannel, service: str) -> PublishedMark | None:
    method, _, body = channel.basic_get(mark(service).name)
    if method is None or body is None or method.delivery_tag is None:
        return None
    channel.basic_nack(method.delivery_tag, requeue=True)
    fields = json.loads(body)
    return PublishedMark(int(fields["position"]), bytes.fromhex(fields["hash"]), int(fields["safe"]))


class NoBroker(ConnectionError):
    """The broker can't be reached."""


def read_marks(url: str, services: Iterable[str]) -> dict[str, PublishedMark]:
    """The marks by service; services without a mark are left out. Raises NoBroker."""
    try:
        with pika.BlockingConnection(parameters(url, "marks")) as connection:
            found = {service: read_mark(connection, service) for service in services}
    except (AMQPError, OSError) as error:
        raise NoBroker(describe(error)) from error
    return {service: one for service, one in found.items() if one is not None}
