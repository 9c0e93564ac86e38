"""The broker keeps how far a log was published, also when its database is restored to an earlier state."""

from __future__ import annotations

from collections.abc import Callable

import pika
import pytest
import sqlalchemy as sa

from shared.broker import publisher as publishers
from shared.broker.publisher_marks import read_mark
from shared.contracts import PositionLost
from shared.eventstore import log, schema
from shared.eventstore.divergence import Divergence
from shared.eventstore.healing import PublishedMark, examine, heal
from shared.messages.topology import inbox, mark
from shared.messages.wire import (
    KnownPosition,
    LogHead,
    decode,
    encode,
    headers,
)
from tests.broker.broker import Broker
from tests.broker.subscribing import (
    Log,
    Subscriber,
    button,
    publishing,
    subscriber,
    up_to,
)
from tests.eventstore.builders import append, events
from tests.runtime.builders import START
from tests.waiting import wait_for

__all__ = ["button", "subscriber"]


def backed_up(button: Log) -> Callable[[], None]:
    """A backup of the whole database. Returns what restores it."""
    tables = schema.metadata.sorted_tables
    with button.engine.connect() as connection:
        rows = {table: [dict(row) for row in connection.execute(sa.select(table)).mappings()] for table in tables}

    def restore() -> None:
        with button.engine.begin() as connection:
            for table in tables:
                connection.execute(sa.delete(table))
                if rows[table]:
                    connection.execute(sa.insert(table), rows[table])
            button.head = log.read_head(connection)

    return restore


def stored_mark(button: Log, broker: Broker) -> PublishedMark | None:
    with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
        return read_mark(connection, button.service)


def published(button: Log, broker: Broker, last: int) -> None:
    with publishing(button, broker.url) as publisher:
        wait_for(lambda: publisher.position == last)


def set_back(button: Log, broker: Broker) -> bytes:
    """A log that was published up to 10 ends at 6 again. The hash that it had at 10."""
    broker.forget_later(mark(button.service).name)
    button.grow(6)
    published(button, broker, 6)
    restore = backed_up(button)
    button.grow(4)
    published(button, broker, 10)
    lost = button.head.hash
    restore()
    return lost


def test_the_broker_keeps_how_far_the_log_may_have_been_published(button: Log, broker: Broker) -> None:
    broker.forget_later(mark(button.service).name)
    assert stored_mark(button, broker) is None
    button.grow(7)
    published(button, broker, 7)

    found = stored_mark(button, broker)

    assert found == stored_mark(button, broker)  # looking takes nothing away
    assert found is not None
    assert (found.position, found.hash) == (7, button.head.hash)


def test_no_event_is_sent_before_its_mark_is_kept(button: Log, broker: Broker, subscriber: Subscriber) -> None:
    """Whenever it is looked at, the mark is not behind what came."""
    broker.forget_later(mark(button.service).name)
    with publishing(button, broker.url):
        for length in range(5, 60, 5):
            button.grow(5)
            wait_for(lambda length=length: subscriber.has(length))
            found = stored_mark(button, broker)
            assert found is not None
            assert found.position >= length


def test_a_database_that_was_restored_is_named_and_nothing_of_it_is_published(
    button: Log, broker: Broker, subscriber: Subscriber
) -> None:
    lost, queue = set_back(button, broker), inbox(button.service, ())
    with broker.channel() as channel:
        channel.queue_declare(queue.name, **queue.settings)
    broker.forget_later(queue.name)

    with publishing(button, broker.url) as publisher:
        wait_for(lambda: publisher.diverged)
        assert publisher.diverged == str(Divergence("publisher", button.service, 10, 6))
    with broker.channel() as channel:
        _, properties, body = channel.basic_get(queue.name, auto_ack=True)

    assert decode(body, beside=properties.headers) == KnownPosition("publisher", button.service, 10)
    assert properties.headers["hash"] == lost.hex()
    assert subscriber.has(10)
    assert subscriber.positions == up_to(10)


def test_a_log_that_went_on_after_it_was_set_back_is_found_by_its_hash(
    button: Log, broker: Broker, subscriber: Subscriber
) -> None:
    set_back(button, broker)
    button.head = append(button.engine, button.head, events(7, 9, stream="button-b"))

    with publishing(button, broker.url) as publisher:
        wait_for(lambda: publisher.diverged)
    assert subscriber.has(10)
    assert subscriber.positions == up_to(10)

    heal(
        examine(button.service, {button.service: button.engine}, stored_mark(button, broker)), button.engine, START, id
    )
    published(button, broker, 15)
    assert subscriber.has(15)
    assert subscriber.positions == up_to(15)


def id() -> str:
    return "lost"


def test_a_healed_log_is_published_from_behind_what_was_published(
    button: Log, broker: Broker, subscriber: Subscriber
) -> None:
    set_back(button, broker)
    logs = {button.service: button.engine}
    wound = examine(button.service, logs, stored_mark(button, broker))
    assert (wound.kept, wound.upto) == (6, 10)
    numbers = iter(range(100))
    heal(wound, button.engine, START, lambda: f"lost-{next(numbers)}")
    with button.engine.connect() as connection:
        button.head = log.read_head(connection)
    button.head = append(button.engine, button.head, events(11, 3, stream="button-b"))

    for _ in range(2):
        published(button, broker, 13)
    assert subscriber.has(13)

    assert subscriber.positions == up_to(13)
    assert not any(PositionLost.__name__ in event.get_type() for event in subscriber.events)


def test_a_log_that_is_healed_while_a_publisher_begins_is_published_from_behind_as_well(
    button: Log, broker: Broker, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The publisher knows its checkpoint of before the heal, and compares the log after it."""
    set_back(button, broker)
    wound = examine(button.service, {button.service: button.engine}, stored_mark(button, broker))
    lost = (f"lost-{number}" for number in range(100))
    to_heal = [lambda: heal(wound, button.engine, START, lambda: next(lost))]

    def looked_up(connection: pika.BlockingConnection, service: str) -> PublishedMark | None:
        if to_heal:
            to_heal.pop()()
        return read_mark(connection, service)

    monkeypatch.setattr(publishers, "read_mark", looked_up)
    published(button, broker, 10)
    assert subscriber.has(10)

    assert not to_heal
    assert not any(PositionLost.__name__ in event.get_type() for event in subscriber.events)


def test_what_was_lost_and_never_published_is_published_as_lost(
    button: Log, broker: Broker, subscriber: Subscriber
) -> None:
    broker.forget_later(mark(button.service).name)
    button.grow(6)
    restore = backed_up(button)
    button.grow(2)
    published(button, broker, 8)
    restore()
    logs = {button.service: button.engine}
    from shared.eventstore.healing import KnownUpTo as Somebody

    wound = examine(button.service, logs, stored_mark(button, broker), [Somebody("an operator", 10)])
    numbers = iter(range(100))
    heal(wound, button.engine, START, lambda: f"lost-{next(numbers)}")

    published(button, broker, 10)
    assert subscriber.has(10)

    assert sorted(set(subscriber.positions)) == up_to(10)
    names = {int(event.get_extension("sequence")): event.get_type() for event in subscriber.events}
    assert [at for at, name in names.items() if "PositionLost" in name] == [9, 10]
    assert names[9] == f"kameng.{button.service}.PositionLost.v1"


def test_a_writer_that_asks_is_answered(button: Log, broker: Broker) -> None:
    broker.forget_later(mark(button.service).name, inbox(button.service, ()).name)
    queue = inbox(button.service, ())
    button.grow(3)
    with broker.channel() as channel:
        channel.queue_declare(queue.name, **queue.settings)
        with publishing(button, broker.url) as publisher:
            wait_for(lambda: publisher.position == 3)
            channel.queue_purge(queue.name)
            asks = LogHead(button.service, 3, button.head.hash, asks=True)
            properties = pika.BasicProperties(headers=headers(asks))
            channel.basic_publish(f"kameng.log.{button.service}", "", encode(asks), properties)
            heard: list[object] = []

            def answered() -> bool:
                method, reply_properties, body = channel.basic_get(queue.name, auto_ack=True)
                if method is not None:
                    heard.append(decode(body, beside=reply_properties.headers))
                return bool(heard)

            wait_for(answered)
    assert heard == [KnownPosition("publisher", button.service, 3)]
