"""The log server against a real broker: what it announces, what it answers, and what it survives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

import pytest
import sqlalchemy as sa

from deploy.local.rabbitmq import RabbitMQ
from shared.broker.log_server import LogServer
from shared.eventstore import log, schema
from shared.eventstore.engines import open_engine
from shared.messages.messages import EventBatch
from shared.messages.topology import Queue, log_exchange, pulls
from shared.messages.wire import LogHead, MessageBody, Pull
from shared.subscriptions import log_answers
from tests.broker.broker import Broker, Consumer, Reader
from tests.eventstore.builders import append, created, events
from tests.waiting import PATIENCE, wait_for

SOON = 0.05


class Log:
    """The log of `button`, growing."""

    def __init__(self, url: str) -> None:
        self.url, self.engine = url, open_engine(url, writer=True)
        self.head = created(self.engine)

    def grow(self, count: int = 1) -> None:
        self.head = append(self.engine, self.head, events(self.head.position + 1, count))


@pytest.fixture
def button(tmp_path: Path) -> Iterator[Log]:
    opened = Log(f"sqlite:///{tmp_path / 'button.sqlite3'}")
    yield opened
    opened.engine.dispose()


@contextmanager
def running(url: str, amqp_url: str, *, every_seconds: float = SOON) -> Iterator[LogServer]:
    """A log server of `button`, whether it can serve or not."""
    engine, stop = open_engine(url, writer=False), Event()
    server = LogServer("button", engine, amqp_url, every_seconds=every_seconds)
    thread = Thread(target=server.run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        stop.set()
        thread.join(PATIENCE)
        engine.dispose()
        assert not thread.is_alive()


@contextmanager
def serving(url: str, broker: Broker, *, every_seconds: float = SOON) -> Iterator[LogServer]:
    """A log server of `button` that serves, by the wire."""
    with running(url, broker.url, every_seconds=every_seconds) as server:
        wait_for(lambda: server.connected)
        yield server


@contextmanager
def reading(broker: Broker) -> Iterator[Reader]:
    """A reader of `button` with a queue of its own, by the wire."""
    queue = Queue(f"test.{uuid4().hex}", (log_exchange("button"),))
    reader = Reader("button", pulls("button").name)
    broker.forget_later(queue.name, pulls("button").name)
    with Consumer(broker.url, queue, reader.hear):
        yield reader


class Ear:
    """Remembers what came to a queue."""

    def __init__(self) -> None:
        self.heard: list[MessageBody] = []

    def hear(self, _: Consumer, body: MessageBody) -> None:
        self.heard.append(body)

    @property
    def batches(self) -> list[EventBatch]:
        return [body for body in self.heard if isinstance(body, EventBatch)]

    @property
    def heads(self) -> list[int]:
        return [body.position for body in self.heard if isinstance(body, LogHead)]


@contextmanager
def listening(broker: Broker, *sources: str) -> Iterator[tuple[Ear, str]]:
    """An ear at a queue of its own, and the queue's name."""
    ear, queue = Ear(), Queue(f"test.{uuid4().hex}", tuple(log_exchange(source) for source in sources))
    broker.forget_later(queue.name, pulls("button").name)
    with Consumer(broker.direct_url, queue, ear.hear):
        yield ear, queue.name


def up_to(position: int) -> list[int]:
    return list(range(position + 1))


# The head


def test_the_head_is_announced_again_and_again(button: Log, broker: Broker) -> None:
    button.grow(3)
    with listening(broker, "button") as (ear, _), serving(button.url, broker) as server:
        wait_for(lambda: ear.heads.count(3) > 1)
        button.grow(2)
        wait_for(lambda: ear.heads.count(5) > 1)
        assert set(ear.heads) == {3, 5}
        assert (server.head, ear.batches) == (5, [])


def test_a_reader_that_was_sent_nothing_has_it_all_the_same(button: Log, broker: Broker) -> None:
    button.grow(60)
    with serving(button.url, broker), reading(broker) as reader:
        wait_for(lambda: reader.position == 60)
        button.grow(7)
        wait_for(lambda: reader.position == 67)
        assert reader.positions == up_to(67)


# Pulls


def test_a_pull_is_answered_to_its_queue_only(button: Log, broker: Broker) -> None:
    button.grow(5)
    with listening(broker) as (ear, queue), listening(broker, "button") as (other, _), serving(button.url, broker):
        broker.send(pulls("button").name, Pull("button", 1, 3, queue))
        broker.send(pulls("button").name, Pull("button", 5, 3, queue))
        wait_for(lambda: len(ear.batches) == 2)
        assert [one.position for one in ear.batches[0].events] == [2, 3, 4]
        assert ear.batches[1] == EventBatch("button", 6, 5, [])
        assert other.batches == []


def test_a_slice_is_of_bearable_size(button: Log, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    button.grow(250)
    monkeypatch.setattr(log_answers, "MAX_EVENTS", 120)
    with listening(broker) as (ear, queue), serving(button.url, broker):
        broker.send(pulls("button").name, Pull("button", 0, 1_000_000, queue))
        wait_for(lambda: ear.batches)
        size = sum(len(one.data) + len(one.meta_json) for one in ear.batches[0].events[:10])
        assert ear.batches[0].last == 120

        monkeypatch.setattr(log_answers, "MAX_BYTES", size)
        broker.send(pulls("button").name, Pull("button", 0, 100, queue))
        wait_for(lambda: len(ear.batches) == 2)
        assert ear.batches[1].last == 10

        monkeypatch.setattr(log_answers, "MAX_BYTES", 1)
        broker.send(pulls("button").name, Pull("button", 200, 100, queue))
        wait_for(lambda: len(ear.batches) == 3)
        assert (ear.batches[2].first, ear.batches[2].last) == (201, 201)


def test_nonsense_among_the_pulls_is_dropped(button: Log, broker: Broker) -> None:
    button.grow(2)
    with listening(broker) as (ear, queue), serving(button.url, broker) as server:
        for nonsense in (b"{", LogHead("button", 1), Pull("lamp", 0, 1, queue), Pull("button", -1, 1, queue)):
            broker.send(pulls("button").name, nonsense)
        broker.send(pulls("button").name, Pull("button", 0, 0, queue))
        broker.send(pulls("button").name, Pull("button", 0, 5, "test.nobody"))
        broker.send(pulls("button").name, Pull("button", 0, 5, queue))
        wait_for(lambda: ear.heard)
        assert [part.last for part in ear.batches] == [2]
        assert server.answered == 2


# What it survives


def test_a_reader_misses_nothing_while_queues_are_purged_and_deleted(button: Log, broker: Broker) -> None:
    with serving(button.url, broker), listening(broker, "button") as (_, mine):
        queue = Queue(f"test.{uuid4().hex}", (log_exchange("button"),))
        reader = Reader("button", pulls("button").name)
        broker.forget_later(queue.name)
        with Consumer(broker.direct_url, queue, reader.hear) as consumer:
            for turn in range(30):
                button.grow(7)
                victims = [queue.name, pulls("button").name, mine]
                (broker.purge if turn % 2 else broker.delete)(victims[turn % 3])
                wait_for(lambda victims=victims: all(map(broker.exists, victims)))
            wait_for(lambda: reader.position == 210)
            assert consumer.started > 1
        assert reader.positions == up_to(210)
        assert reader.pulled


def test_cut_connections_are_made_again(button: Log, broker: Broker) -> None:
    with serving(button.url, broker) as server, reading(broker) as reader:
        for _ in range(5):
            carried = broker.wire.carried
            broker.wire.cut()
            button.grow(4)
            wait_for(lambda carried=carried: broker.wire.carried >= carried + 2 and server.connected)
        wait_for(lambda: reader.position == 20)
        assert reader.positions == up_to(20)


def test_what_came_up_while_the_broker_was_out_of_reach_follows(button: Log, broker: Broker) -> None:
    with serving(button.url, broker) as server, listening(broker, "button") as (ear, _):
        with broker.wire.broken():
            wait_for(lambda: not server.connected)
            button.grow(4)
        wait_for(lambda: 4 in ear.heads)


def test_a_broker_that_comes_back_with_an_empty_disk_is_filled_again(
    button: Log, broker: Broker, rabbitmq: RabbitMQ
) -> None:
    with serving(button.url, broker) as server, reading(broker) as reader:
        button.grow(5)
        wait_for(lambda: reader.position == 5)
        rabbitmq.wipe()
        button.grow(5)
        rabbitmq.start()
        wait_for(lambda: server.connected)
        button.grow(5)
        wait_for(lambda: reader.position == 15)
        assert reader.positions == up_to(15)


def test_a_database_that_fails_for_a_while_is_waited_for(button: Log, broker: Broker) -> None:
    with serving(button.url, broker) as server, reading(broker) as reader:
        with button.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE head RENAME TO elsewhere")
        wait_for(lambda: not server.connected)
        with button.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO head")
        button.grow(3)
        wait_for(lambda: reader.position == 3)
        assert reader.positions == up_to(3)


def test_a_log_that_lost_its_end_is_followed_from_there(button: Log, broker: Broker) -> None:
    button.grow(5)
    with serving(button.url, broker) as server, listening(broker, "button") as (ear, _):
        with button.engine.begin() as connection:
            shorter = log.read_head(connection)
            connection.execute(sa.delete(schema.log).where(schema.log.c.position > 2))
            connection.execute(sa.update(schema.head).values(position=2))
        wait_for(lambda: 2 in ear.heads)
        button.head = type(shorter)(2, shorter.at, shorter.hash)
        button.grow(2)
        wait_for(lambda: ear.heads[-1] == server.head == 4)


def test_a_deleted_exchange_is_made_again(button: Log, broker: Broker) -> None:
    with serving(button.url, broker) as server:
        carried = broker.wire.carried
        with broker.channel() as channel:
            channel.exchange_delete(log_exchange("button"))
        wait_for(lambda: broker.wire.carried > carried and server.connected)
        with listening(broker, "button") as (ear, _):
            button.grow(1)
            wait_for(lambda: 1 in ear.heads)


def test_it_starts_before_its_log_exists(tmp_path: Path, broker: Broker) -> None:
    url = f"sqlite:///{tmp_path / 'later.sqlite3'}"
    with running(url, broker.url) as server:
        button = Log(url)
        wait_for(lambda: server.connected)
        button.engine.dispose()


def test_it_starts_and_ends_without_a_broker(button: Log) -> None:
    with running(button.url, "amqp://guest:guest@127.0.0.1:1/") as server:
        assert not server.connected
