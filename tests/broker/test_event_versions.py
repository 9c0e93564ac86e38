"""An event that is published in several versions: what goes out, and when it counts as sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.broker import publisher as publishers
from shared.broker.cloudevents import outgoing
from shared.broker.publisher import Publisher
from shared.eventstore.recorded import RecordedEvent
from tests.broker.broker import Broker
from tests.broker.subscribing import (
    Log,
    Subscriber,
    button,
    publishing,
    subscriber,
    up_to,
)
from tests.contracts.test_versions import ToyPainted
from tests.eventstore.builders import event
from tests.waiting import wait_for

__all__ = ["button", "subscriber"]
VERSIONS = ("ToyPainted.v1", "ToyPainted.v2", "ToyPainted.v3")
WINDOW = 20


def painted(position: int, type_: str = "ToyPainted.v3", **body: Any) -> RecordedEvent:
    one = event(position, "button-a", position)
    body = body or json.loads(ToyPainted(fence="f", colours=("red",), coats=2).model_dump_json())
    return RecordedEvent(
        "button", position, one.stream, position, one.id, type_, json.dumps(body), one.meta_json, one.at
    )


def paint(log: Log, count: int) -> None:
    first = log.head.position + 1
    log.add([painted(position) for position in range(first, first + count)])


def test_an_event_goes_out_in_each_version_as_the_same_fact() -> None:
    messages = outgoing(painted(7))

    assert [message.key for message in messages] == [f"button.{version}" for version in VERSIONS]
    headers = [dict(message.properties.headers or {}) for message in messages]
    assert [one.pop("ce-type") for one in headers] == [f"kameng.button.{version}" for version in VERSIONS]
    assert headers[0] == headers[1] == headers[2]
    assert headers[0]["ce-versions"] == "1 2 3"
    assert [json.loads(message.body) for message in messages] == [
        {"fence": "f", "colour": "red"},
        {"fence": "f", "colours": ["red"]},
        {"fence": "f", "colours": ["red"], "coats": 2},
    ]


def test_a_version_that_the_log_holds_goes_out_as_it_was_written() -> None:
    messages = outgoing(painted(7, "ToyPainted.v1", fence="f", colour="red", forgotten=1))

    assert [json.loads(message.body) for message in messages] == [
        {"fence": "f", "colour": "red", "forgotten": 1},
        {"fence": "f", "colours": ["red"]},
        {"fence": "f", "colours": ["red"], "coats": 1},
    ]


def test_the_versions_of_an_event_come_together_and_in_order(
    button: Log, broker: Broker, subscriber: Subscriber
) -> None:
    for _ in range(2):
        button.grow(5)
        paint(button, 40)
        with publishing(button, broker.url) as publisher:
            wait_for(lambda: publisher.position == button.head.position)
            assert (publisher.oldest, publisher.held) == (None, None)

    assert button.checkpoint == 90
    assert subscriber.has(90)
    thrice = [position for position in up_to(90) for _ in range(1 if (position - 1) % 45 < 5 else 3)]
    assert subscriber.positions == thrice
    assert [method.routing_key for method, _, _ in subscriber.messages[-3:]] == [
        f"{button.service}.{version}" for version in VERSIONS
    ]


def test_a_window_is_counted_in_events(
    button: Log, broker: Broker, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishers, "WINDOW", WINDOW)
    paint(button, 50)
    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "_store", lambda *_: None)
        with publishing(button, broker.url):
            wait_for(lambda: subscriber.has(WINDOW))
    assert button.checkpoint == 0
    with publishing(button, broker.url) as publisher:
        wait_for(lambda: publisher.position == 50)
    assert subscriber.has(50)
    assert subscriber.positions == [at for last in (WINDOW, 50) for at in up_to(last) for _ in VERSIONS]


@pytest.mark.parametrize("version", VERSIONS)
def test_one_version_that_is_bound_for_is_enough(button: Log, broker: Broker, version: str) -> None:
    paint(button, 30)
    with publishing(button, broker.url, require_binding=True) as publisher:
        wait_for(lambda: publisher.held and publisher.held.position == 1)
        knows_one = Subscriber(broker)
        knows_one.bind(f"{button.service}.{version}")
        wait_for(lambda: publisher.position == 30)
        assert publisher.held is None
    assert knows_one.has(30)
    assert knows_one.positions == up_to(30)


def test_a_version_that_a_queue_refuses_holds_its_event(button: Log, broker: Broker) -> None:
    full = Subscriber(broker, **{"x-max-length": 1, "x-overflow": "reject-publish"})
    full.bind(f"{button.service}.{VERSIONS[0]}")
    with publishing(button, broker.url) as publisher:
        wait_for(lambda: publisher.held or paint(button, 1))
        assert publisher.held
        assert publisher.held.key == f"{button.service}.{VERSIONS[0]}"
        assert button.checkpoint < button.head.position
        wait_for(lambda: full.has(*up_to(button.head.position)))
        wait_for(lambda: publisher.position == button.head.position)
