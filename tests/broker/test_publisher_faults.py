"""The publisher when broker, database or publisher fail: no event is lost, and few are repeated."""

from __future__ import annotations

import pytest

from deploy.local.rabbitmq import RabbitMQ
from shared.broker import publisher as publishers
from shared.eventstore import log
from shared.eventstore.engines import open_engine
from shared.messages.topology import EVENTS
from tests.broker.broker import Broker
from tests.broker.subscribing import (
    Log,
    Running,
    Subscriber,
    button,
    check_repeats,
    publishing,
    subscriber,
    up_to,
)
from tests.databases import NewDatabase
from tests.eventstore.builders import append, event
from tests.runtime.builders import START
from tests.waiting import wait_for

__all__ = ["button", "subscriber"]
WINDOW = 20


@pytest.fixture
def small_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishers, "WINDOW", WINDOW)


def test_cut_connections_leave_no_gap(button: Log, broker: Broker, subscriber: Subscriber, small_window: None) -> None:
    with publishing(button, broker.url) as publisher:
        for _ in range(5):
            button.grow(200)
            wait_for(lambda: publisher.connected and publisher.position % 200)
            carried = broker.wire.carried
            broker.wire.cut()
            wait_for(lambda carried=carried: broker.wire.carried > carried)
        wait_for(lambda: publisher.position == 1_000)
    assert subscriber.has(1_000)
    check_repeats(subscriber.positions, 1_000, WINDOW)


def test_a_broker_that_is_killed_in_the_middle_leaves_no_gap(
    button: Log, broker: Broker, subscriber: Subscriber, rabbitmq: RabbitMQ, small_window: None
) -> None:
    """Frozen first, so that events are on their way for certain when it is killed."""
    wait_for(lambda: rabbitmq.remembers(subscriber.queue))
    button.grow(100)
    with publishing(button, broker.url) as publisher:
        wait_for(lambda: publisher.position == 100)
        rabbitmq.freeze()
        button.grow(400)
        wait_for(lambda: publisher.head == 500 and publisher.oldest)
        rabbitmq.kill()
        assert publisher.position == 100
        rabbitmq.start()
        wait_for(lambda: publisher.position == 500)
    assert subscriber.has(500)
    check_repeats(subscriber.positions, 500, WINDOW)


def test_a_broker_out_of_reach_is_waited_for(button: Log, broker: Broker, subscriber: Subscriber) -> None:
    with publishing(button, broker.url) as publisher:
        wait_for(lambda: publisher.connected)
        with broker.wire.broken():
            wait_for(lambda: not publisher.connected)
            button.grow(4)
            wait_for(lambda: publisher.oldest == event(1, "", 1).at and publisher.head == 4)
        wait_for(lambda: publisher.position == 4)
    assert subscriber.has(4)
    assert subscriber.positions == up_to(4)


def test_a_database_that_fails_for_a_while_is_waited_for(button: Log, broker: Broker, subscriber: Subscriber) -> None:
    with publishing(button, broker.url) as publisher:
        wait_for(lambda: publisher.connected)
        with button.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE log RENAME TO elsewhere")
            connection.exec_driver_sql("ALTER TABLE head RENAME TO nowhere")
        wait_for(lambda: not publisher.connected)
        with button.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO log")
            connection.exec_driver_sql("ALTER TABLE nowhere RENAME TO head")
        button.grow(3)
        wait_for(lambda: publisher.position == 3)
    assert subscriber.has(3)
    assert subscriber.positions == up_to(3)


def test_a_deleted_exchange_is_made_again(button: Log, broker: Broker) -> None:
    with publishing(button, broker.url) as publisher:
        wait_for(lambda: publisher.connected)
        with broker.channel() as channel:
            channel.exchange_delete(EVENTS)
        button.grow(2)
        wait_for(lambda: publisher.position == 2)


def test_a_standby_takes_over(button: Log, broker: Broker, subscriber: Subscriber) -> None:
    button.grow(5)
    first = Running(button, broker.url)
    wait_for(lambda: first.publisher.position == 5)
    with publishing(button, broker.url) as second:
        button.grow(5)
        wait_for(lambda: first.publisher.position == 10)
        assert not second.leads
        first.stop()
        button.grow(5)
        wait_for(lambda: second.position == 15)
    assert subscriber.has(15)
    assert subscriber.positions == up_to(15)


def test_whoever_loses_the_lock_stops_and_starts_over(button: Log, broker: Broker, subscriber: Subscriber) -> None:
    with publishing(button, broker.url) as publisher:
        wait_for(lambda: publisher.connected)
        carried = broker.wire.carried
        assert button.end_sessions(f"kameng lead of {button.service}") == 1
        wait_for(lambda: broker.wire.carried > carried and publisher.connected)
        button.grow(5)
        wait_for(lambda: publisher.position == 5)
    assert subscriber.has(5)
    assert subscriber.positions == up_to(5)


def test_it_starts_before_its_log_exists(postgres: NewDatabase, broker: Broker) -> None:
    url = postgres()
    engine = open_engine(url, writer=True)
    later = Log.__new__(Log)
    later.url, later.service, later.engine = url, "test-later", engine
    with publishing(later, broker.url) as publisher:
        wait_for(lambda: publisher.leads)
        with engine.begin() as connection:
            log.create(connection)
            head = log.read_head(connection)
        append(engine, head, [event(1, "button-a", 1, at=START)])
        wait_for(lambda: publisher.position == 1)
    engine.dispose()


def test_it_starts_and_ends_without_a_broker(button: Log) -> None:
    with publishing(button, "amqp://guest:guest@127.0.0.1:1/") as publisher:
        wait_for(lambda: publisher.leads)
        assert not publisher.connected
