"""The publisher against a real broker and PostgreSQL: what it sends, how far, and what it waits for."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from shared.broker import publisher as publishers
from shared.broker.publisher import NAME, Publisher
from shared.contracts import Event, upcaster
from shared.eventstore import checkpoints, log, schema
from shared.eventstore.recorded import RecordedEvent
from shared.messages.topology import EVENTS, log_exchange
from tests.broker.broker import Broker
from tests.broker.subscribing import (
    Log,
    Subscriber,
    button,
    publishing,
    subscriber,
    up_to,
)
from tests.eventstore.builders import event
from tests.runtime.builders import META
from tests.waiting import wait_for

__all__ = ["button", "subscriber"]
WINDOW = 20


class ToyLabelled(Event, key="button", version=2):
    button: str
    labels: tuple[str, ...]


@upcaster("ToyLabelled", 1)
def _labels(body: dict[str, Any]) -> dict[str, Any]:
    return {"button": body["button"], "labels": [body["label"]]}


@pytest.fixture
def small_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishers, "WINDOW", WINDOW)


def of_type(position: int, type_: str, body: dict[str, Any]) -> RecordedEvent:
    one = event(position, "button-a", position)
    return RecordedEvent(
        "button", position, one.stream, position, one.id, type_, json.dumps(body), one.meta_json, one.at
    )


# What it sends


def test_nothing_is_published_at_a_position_that_was_published_before(
    button: Log, broker: Broker, subscriber: Subscriber
) -> None:
    button.grow(10)
    with publishing(button, broker.url) as publisher:
        wait_for(lambda: publisher.position == 10)
    assert subscriber.has(10)
    with button.engine.begin() as connection:
        connection.execute(sa.delete(schema.log).where(schema.log.c.position > 6))
        last = connection.execute(sa.select(schema.log).where(schema.log.c.position == 6)).one()
        connection.execute(sa.update(schema.head).values(position=6, at=last.at, hash=last.hash))
        button.head = log.read_head(connection)

    with publishing(button, broker.url) as publisher:
        wait_for(lambda: publisher.diverged)
        assert "that log ends at 6" in publisher.diverged
        button.grow(2)
        assert subscriber.positions == up_to(10)
    assert button.checkpoint == 10


def test_every_event_comes_once_and_in_order(button: Log, broker: Broker, subscriber: Subscriber) -> None:
    button.grow(1_200)
    with publishing(button, broker.url) as publisher:
        for _ in range(10):
            button.grow(7)
        wait_for(lambda: publisher.position == 1_270)
        assert (publisher.head, publisher.events, publisher.oldest, publisher.held) == (1_270, 1_270, None, None)
    assert subscriber.has(1_270)
    assert subscriber.positions == up_to(1_270)
    assert button.checkpoint == 1_270


def test_an_event_is_a_cloudevent(button: Log, broker: Broker, subscriber: Subscriber) -> None:
    recorded = event(1, "button-a", 1, note="按")
    button.add([recorded])
    with publishing(button, broker.url):
        wait_for(lambda: subscriber.has(1))

    (method, properties, body), (cloudevent,) = subscriber.messages[0], subscriber.events
    assert method.exchange == EVENTS
    assert method.routing_key == f"{button.service}.ToyPressed.v1"
    assert properties.delivery_mode == 2
    assert body == recorded.data.encode()
    assert cloudevent.get_data() == {"button": "a", "note": "按"}
    assert cloudevent.get_attributes() == {
        "specversion": "1.0",
        "id": "id-1",
        "source": f"/kameng/{button.service}",
        "type": f"kameng.{button.service}.ToyPressed.v1",
        "time": recorded.at,
        "subject": "button-a",
        "datacontenttype": "application/json",
        "partitionkey": "a",
        "sequence": "00000000000000000001",
        "correlationid": META.correlation_id,
        "causationid": META.causation_id,
    }


def test_an_old_version_goes_out_as_the_newest(button: Log, broker: Broker, subscriber: Subscriber) -> None:
    button.add([of_type(1, "ToyLabelled.v1", {"button": "a", "label": "red"})])
    with publishing(button, broker.url):
        wait_for(lambda: subscriber.has(1))

    (cloudevent,) = subscriber.events
    assert subscriber.messages[0][0].routing_key == f"{button.service}.ToyLabelled.v2"
    assert cloudevent.get_type() == f"kameng.{button.service}.ToyLabelled.v2"
    assert cloudevent.get_data() == {"button": "a", "labels": ["red"]}


def test_a_subscriber_gets_what_it_bound_for(button: Log, broker: Broker) -> None:
    labelled = Subscriber(broker)
    labelled.bind(f"{button.service}.ToyLabelled.*")
    button.grow(2)
    button.add([of_type(3, "ToyLabelled.v2", {"button": "a", "labels": []})])
    with publishing(button, broker.url) as publisher:
        wait_for(lambda: publisher.position == 3)
    assert labelled.has(3)
    assert labelled.positions == [3]


def test_what_the_writer_publishes_is_heard_at_once(button: Log, broker: Broker, subscriber: Subscriber) -> None:
    with publishing(button, broker.url, every_seconds=3600) as publisher:
        wait_for(lambda: publisher.connected)
        for position in (2, 4, 6):
            button.grow(2)
            broker.tell(log_exchange(button.service), b"something new")
            wait_for(lambda position=position: subscriber.has(position))
    assert subscriber.positions == up_to(6)


# Its checkpoint


def test_it_goes_on_where_it_stopped(button: Log, broker: Broker, subscriber: Subscriber) -> None:
    for last in (300, 600, 900):
        button.grow(300)
        with publishing(button, broker.url) as publisher:
            wait_for(lambda last=last: publisher.events or publisher.position == last)
    with publishing(button, broker.url) as publisher:
        wait_for(lambda: publisher.position == 900)
    assert subscriber.has(900)
    assert subscriber.positions == up_to(900)


def test_no_more_than_a_window_is_sent_beyond_the_checkpoint(
    button: Log, broker: Broker, subscriber: Subscriber, small_window: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a crash at the worst moment: nothing of what was sent is stored."""
    button.grow(100)
    monkeypatch.setattr(Publisher, "_store", lambda *_: None)
    with publishing(button, broker.url):
        wait_for(lambda: subscriber.has(WINDOW))
    monkeypatch.undo()
    assert button.checkpoint == 0
    with publishing(button, broker.url) as publisher:
        wait_for(lambda: publisher.position == 100)
    assert subscriber.has(100)
    assert subscriber.positions == [*up_to(WINDOW), *up_to(100)]


def test_a_checkpoint_that_another_moved_is_left_alone(button: Log) -> None:
    with button.engine.begin() as connection:
        assert checkpoints.read(connection, NAME) == 0
        checkpoints.move(connection, NAME, 0, 5)
    with button.engine.begin() as connection, pytest.raises(log.Fenced):
        checkpoints.move(connection, NAME, 0, 3)
    assert button.checkpoint == 5


# Where a binding is expected


def test_without_a_binding_events_go_nowhere(button: Log, broker: Broker) -> None:
    button.grow(50)
    with publishing(button, broker.url) as publisher:
        wait_for(lambda: publisher.position == 50)


def test_an_event_waits_for_its_binding(button: Log, broker: Broker) -> None:
    late, all_along = Subscriber(broker), Subscriber(broker)
    all_along.bind(f"{button.service}.ToyPressed.*")
    button.grow(3)
    button.add([of_type(4, "ToyLabelled.v2", {"button": "a", "labels": []})])
    button.grow(3)
    with capture_logs() as logs, publishing(button, broker.url, require_binding=True) as publisher:
        wait_for(lambda: publisher.held and publisher.position == 3)
        wait_for(lambda: sum("no queue is bound" in one.get("error", "") for one in logs) > 2)
        assert (button.checkpoint, publisher.oldest) == (3, event(4, "", 4).at)
        late.bind(f"{button.service}.#")
        wait_for(lambda: publisher.position == 7)
        assert publisher.held is None
    reason = f"EventHeldBack: {button.service}.ToyLabelled.v2 at position 4: no queue is bound for it"
    assert reason in {one.get("error") for one in logs if one["log_level"] == "warning"}
    assert late.has(7)
    assert late.positions == [4, 5, 6, 7]
    assert all_along.has(7)
    assert all_along.positions in ([1, 2, 3, 5, 6, 7], [1, 2, 3, 5, 6, 7, 5, 6, 7])


def test_an_event_that_a_queue_refuses_is_offered_again(button: Log, broker: Broker) -> None:
    full = Subscriber(broker, **{"x-max-length": 1, "x-overflow": "reject-publish"})
    full.bind(f"{button.service}.#")
    with publishing(button, broker.url) as publisher:
        wait_for(lambda: publisher.held or button.grow())
        assert button.checkpoint < button.head.position
        wait_for(lambda: full.has(*up_to(button.head.position)))
        wait_for(lambda: publisher.position == button.head.position)


def test_an_event_that_this_code_does_not_know_waits_for_newer_code(
    button: Log, broker: Broker, subscriber: Subscriber
) -> None:
    button.grow(3)
    button.add([of_type(4, "ToyLabelled.v3", {"secret": "s3cret"})])
    button.grow(3)
    with capture_logs() as logs, publishing(button, broker.url) as publisher:
        wait_for(lambda: publisher.held and publisher.position == 3)
        wait_for(lambda: sum("can't read it" in one.get("error", "") for one in logs) > 2)
    assert "s3cret" not in str(logs)
    assert subscriber.has(3)
    assert subscriber.positions == [1, 2, 3]
