"""Dead letters: events that a subscriber could not handle, set aside in a queue until a person decides."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import NackError, UnroutableError

from kameng_subscriber.amqp import AGAIN, DEAD, Queue, explained
from kameng_subscriber.errors import Unavailable, Unreadable
from kameng_subscriber.event import REDRIVEN, Event, from_message

PERSISTENT = 2
REASON = "kameng-reason"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One of them: `reason` is `rejected` by the handler, `delivery_limit` (the subscriber died over it) or `replay`
    (the handler failed on it while it read the feed); `event` is None where it can't be read."""

    reason: str
    key: str
    id: str
    event: Event | None


class DeadLetters:
    """The dead letters of a queue. Raises Misconfigured or Unavailable."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def add(self, headers: Mapping[str, str], data: object) -> None:
        """Set an event aside; returns when the broker has it."""
        with self._channel() as channel:
            _publish(channel, self._queue, DEAD, {**headers, REASON: "replay"}, json.dumps(data).encode())

    def look(self, most: int = 100) -> list[DeadLetter]:
        """The oldest of them, which stay where they are."""
        with self._channel() as channel:
            return [_described(headers, body) for _, headers, body in _first(channel, self._queue.dead, most)]

    def redrive(self, most: int | None = None) -> int:
        """Put them, oldest first, back into the subscriber's queue, and only there. How many.

        One that fails again comes back here. Should this process die in between, one may be in both queues.
        """
        with self._channel() as channel:
            there = channel.queue_declare(self._queue.dead, passive=True).method.message_count
            count = 0
            for tag, headers, body in _first(channel, self._queue.dead, there if most is None else min(most, there)):
                kept = {name: value for name, value in headers.items() if name.startswith("ce-")}
                _publish(channel, self._queue, AGAIN, {**kept, REDRIVEN: "yes"}, body)
                channel.basic_ack(tag)
                count += 1
            return count

    @contextmanager
    def _channel(self) -> Iterator[BlockingChannel]:
        """For a moment, one that waits until the broker has what is published."""
        with explained(self._queue.name), self._queue.connect() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            yield channel


def _first(channel: BlockingChannel, name: str, most: int) -> Iterator[tuple[int, Mapping[str, Any], bytes]]:
    for _ in range(most):
        method, properties, body = channel.basic_get(name)
        if method is None or properties is None or body is None or method.delivery_tag is None:
            return
        yield method.delivery_tag, properties.headers or {}, body


def _publish(channel: BlockingChannel, queue: Queue, key: str, headers: dict[str, Any], body: bytes) -> None:
    properties = pika.BasicProperties(content_type="application/json", headers=headers, delivery_mode=PERSISTENT)
    try:
        channel.basic_publish(queue.name, key, body, properties, mandatory=True)
    except UnroutableError:
        raise Unavailable(f"there is no queue for it any more: {queue.name}") from None
    except NackError:
        raise Unavailable(f"the broker does not take it now: {queue.name}") from None


def _described(headers: Mapping[str, Any], body: bytes) -> DeadLetter:
    deaths = headers.get("x-death") or [{}]
    reason = str(headers.get(REASON) or deaths[0].get("reason", "unknown"))
    type_, id_ = str(headers.get("ce-type", "")), str(headers.get("ce-id", ""))
    try:
        event = from_message(headers, body)
    except Unreadable:
        event = None
    return DeadLetter(reason, type_.removeprefix("kameng."), id_, event)
