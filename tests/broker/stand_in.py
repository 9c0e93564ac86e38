"""A stand-in for a writer, and clients that speak to it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from shared.broker.client import BrokerClient
from shared.messages.messages import Reply
from shared.messages.topology import inbox
from shared.messages.wire import CommandEnvelope, MessageBody, ReplyEnvelope
from tests.broker.broker import Broker, Consumer
from tests.waiting import PATIENCE


@dataclass
class StandInWriter:
    """Stands in for a writer: answers each command with its id, unless it is silent."""

    service: str
    silent: bool = False
    messages: list[list[CommandEnvelope]] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [asked.message.id for message in self.messages for asked in message]

    def hear(self, consumer: Consumer, body: MessageBody) -> None:
        assert isinstance(body, list)
        asked = [one for one in body if isinstance(one, CommandEnvelope)]
        self.messages.append(asked)
        if not self.silent:
            consumer.say(asked[0].reply_to, [self.answer(one) for one in asked])

    def answer(self, asked: CommandEnvelope) -> ReplyEnvelope:
        return ReplyEnvelope(asked.ticket, Reply("accepted", self.service, 1, {"id": asked.message.id}))


@contextmanager
def opened(broker: Broker, writer: StandInWriter) -> Iterator[Consumer]:
    queue = inbox(writer.service, ())
    broker.forget_later(queue.name)
    with Consumer(broker.url, queue, writer.hear) as consumer:
        yield consumer


def answered(future: Future[Reply]) -> str:
    reply = future.result(PATIENCE)
    assert reply.outcome == "accepted"
    return str(reply.answer["id"])


@pytest.fixture
def service() -> str:
    """A service of the test's own."""
    return f"test-{uuid4().hex}"


@pytest.fixture
def writer(broker: Broker, service: str) -> Iterator[StandInWriter]:
    """A service that answers."""
    made = StandInWriter(service)
    with opened(broker, made):
        yield made


@pytest.fixture
def client(broker: Broker) -> Iterator[BrokerClient]:
    with BrokerClient("test", broker.url) as made:
        yield made
