"""A subscriber at a real broker: its queue, the feed before it, dead letters, lost connections."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from kameng_subscriber import (
    DeadLetters,
    Event,
    Later,
    MemoryPlace,
    Misconfigured,
    Queue,
    SqlitePlace,
    Subscriber,
    SubscriberError,
    amqp,
)
from kameng_subscriber import subscriber as subscribing
from kameng_subscriber.__main__ import main as command
from shared.messages.topology import EVENTS
from tests.broker.broker import Broker
from tests.subscriber.builders import Logged, Running, added, is_bound, malformed, publish, running, waiting_in
from tests.waiting import wait_for

OF_GATEWAY = ("gateway.#",)
DYING = """
import os, sys
from kameng_subscriber import Queue, SqlitePlace, Subscriber
url, name, path = sys.argv[1:]

def handle(event):
    if event.sequence == 3:
        os._exit(7)
    if event.sequence == 9:
        subscriber.stop()

queue = Queue(url, name, delivery_limit=3)
subscriber = Subscriber(handle, queue=queue, place=SqlitePlace(path), only=("gateway.#",))
subscriber.run()
"""


class Handler:
    """Remembers what it was given, and raises what it is told to."""

    def __init__(self) -> None:
        self.given: list[Event] = []
        self.raises: dict[int, Exception] = {}
        self.calls = 0

    def __call__(self, event: Event) -> None:
        self.calls += 1
        if error := self.raises.get(event.sequence):
            raise error
        self.given.append(event)

    @property
    def sequences(self) -> list[int]:
        return [event.sequence for event in self.given]


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amqp, "NEW_SECONDS", 0)
    monkeypatch.setattr(subscribing, "LONGEST_PAUSE_SECONDS", 0.1)


@pytest.fixture
def handler() -> Handler:
    return Handler()


@pytest.fixture
def queue(broker: Broker) -> Queue:
    """Of a name of its own."""
    with broker.channel() as channel:
        channel.exchange_declare(EVENTS, "topic", durable=True)
    made = Queue(broker.url, f"test.{uuid4().hex}", delivery_limit=3)
    broker.forget_later(made.name, made.dead)
    return made


@pytest.fixture
def live(broker: Broker, queue: Queue, handler: Handler) -> Callable[..., Subscriber]:
    """Makes subscribers that stand at the end of the log."""

    def make(**more: object) -> Subscriber:
        return Subscriber(handler, **{"queue": queue, "only": OF_GATEWAY, "attempts": 2, **more})  # pyright: ignore

    return make


def up_to(last: int) -> list[int]:
    return [*range(1, last + 1)]


def numbers(*positions: int) -> list[object]:
    return [added(position) for position in positions]


# The feed, then the queue


def test_from_the_first_event_on_without_a_gap_or_a_repeat(broker: Broker, queue: Queue, handler: Handler) -> None:
    """Events keep coming while the feed is read, are published late, and again."""
    feed, place = Logged(120), MemoryPlace()
    feed.between_pages = lambda: publish(broker, feed.grow(60))  # faster than it is read
    with running(Subscriber(handler, queue=queue, feed=feed, place=place, only=OF_GATEWAY)):
        wait_for(lambda: len(handler.given) >= 240)
        publish(broker, feed.log[100:])
        wait_for(lambda: handler.sequences == up_to(240))
    asked = len(feed.asked)
    with running(Subscriber(handler, queue=queue, feed=feed, place=place, only=OF_GATEWAY)):
        publish(broker, [*feed.log[200:], *feed.grow(20)])
        wait_for(lambda: handler.sequences == up_to(260))
    assert len(feed.asked) == asked, "the feed is read once"
    wait_for(lambda: waiting_in(broker, queue.name) == 0)


def test_a_queue_that_was_deleted_is_made_again_and_filled_from_the_feed(
    broker: Broker, queue: Queue, handler: Handler
) -> None:
    feed = Logged(5)
    with running(Subscriber(handler, queue=queue, feed=feed, only=OF_GATEWAY)):
        is_bound(broker, queue)
        broker.delete(queue.name)
        publish(broker, feed.grow(5))  # goes nowhere
        wait_for(lambda: handler.sequences == up_to(10))
        is_bound(broker, queue)
        publish(broker, feed.grow(5))
        wait_for(lambda: handler.sequences == up_to(15))


def test_it_gets_what_it_selected(broker: Broker, queue: Queue, handler: Handler) -> None:
    feed = Logged(4)
    only = ("gateway.StaffAdded.*", "order.#")
    with running(Subscriber(handler, queue=queue, feed=feed, only=only)):
        is_bound(broker, queue)
        other = {"ce-type": "kameng.gateway.StaffRemoved.v1"}
        publish(broker, [malformed("gateway.StaffRemoved.v1", other, b"{}"), *feed.grow(1)])
        wait_for(lambda: handler.sequences == up_to(5))


# What fails


def test_an_event_that_fails_is_tried_again_and_then_a_dead_letter(
    broker: Broker, queue: Queue, handler: Handler, live: Callable[..., Subscriber]
) -> None:
    handler.raises[2] = ValueError("s3cret")
    with running(live()):
        is_bound(broker, queue)
        publish(broker, [added(1), added(2), malformed("gateway.X.v1", {}, b"?"), added(3)])
        wait_for(lambda: handler.sequences == [1, 3])
        assert handler.calls == 4
        letters: list[object] = []

        def are_dead() -> bool:
            letters[:] = [(letter.key, letter.reason) for letter in DeadLetters(queue).look()]
            return len(letters) == 2

        wait_for(are_dead)
        assert letters == [("gateway.StaffAdded.v1", "rejected"), ("", "rejected")]
        del handler.raises[2]
        assert DeadLetters(queue).redrive(most=1) == 1
        wait_for(lambda: handler.sequences == [1, 3, 2])
        assert handler.given[-1].redriven
        assert DeadLetters(queue).redrive() == 1
        wait_for(lambda: [letter.event for letter in DeadLetters(queue).look()] == [None])


def test_an_event_that_fails_while_the_feed_is_read_is_a_dead_letter(
    broker: Broker, queue: Queue, handler: Handler
) -> None:
    handler.raises[2] = ValueError()
    with running(Subscriber(handler, queue=queue, feed=Logged(4), only=OF_GATEWAY, attempts=1)):
        wait_for(lambda: handler.sequences == [1, 3, 4])
        (letter,) = DeadLetters(queue).look()
        assert (letter.reason, letter.id) == ("replay", "id-gateway-2")
        assert letter.event
        assert letter.event.sequence == 2
        handler.raises.clear()
        assert DeadLetters(queue).redrive() == 1
        wait_for(lambda: handler.sequences == [1, 3, 4, 2])


def test_an_event_that_is_to_wait_holds_up_the_others(
    broker: Broker, queue: Queue, handler: Handler, live: Callable[..., Subscriber]
) -> None:
    handler.raises[1] = Later("the database is away")
    with running(live()):
        is_bound(broker, queue)
        publish(broker, [added(1), added(2)])
        wait_for(lambda: handler.calls > 3)
        assert handler.given == []
        handler.raises.clear()
        wait_for(lambda: handler.sequences == [1, 2])


def test_an_event_that_kills_becomes_a_dead_letter_alone(
    broker: Broker, queue: Queue, handler: Handler, tmp_path: Path, live: Callable[..., Subscriber]
) -> None:
    with running(live()):
        is_bound(broker, queue)
    publish(broker, [added(position) for position in up_to(9)])
    arguments = [sys.executable, "-c", DYING, queue.amqp_url, queue.name, str(tmp_path / "place.sqlite3")]
    ends = []
    while not ends or ends[-1] == 7:
        ends.append(subprocess.run(arguments, timeout=60, check=False, env=_with_library()).returncode)
    assert (set(ends[:-1]), ends[-1]) == ({7}, 0)
    place = SqlitePlace(tmp_path / "place.sqlite3")
    handled = place.connection.execute("SELECT sequence FROM kameng_handled ORDER BY sequence").fetchall()
    place.close()
    assert [sequence for (sequence,) in handled] == [1, 2, 4, 5, 6, 7, 8, 9]
    # RabbitMQ 3.10 has been seen to keep a letter in the queue that it is to leave: out of the way, and not lost.
    wait_for(lambda: waiting_in(broker, queue.name) + waiting_in(broker, queue.dead) == 1)
    for letter in DeadLetters(queue).look():
        assert (letter.reason, letter.id) == ("delivery_limit", "id-gateway-3")


def _with_library() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


# Connections, processes


def test_a_lost_connection_is_made_again(
    broker: Broker, queue: Queue, handler: Handler, live: Callable[..., Subscriber]
) -> None:
    with running(live()):
        is_bound(broker, queue)
        publish(broker, [added(1), added(2)])
        wait_for(lambda: handler.sequences == [1, 2])
        broker.wire.cut()
        publish(broker, [added(3)])
        wait_for(lambda: handler.sequences == [1, 2, 3])
        with broker.wire.broken():
            publish(broker, [added(4)])
        wait_for(lambda: handler.sequences == [1, 2, 3, 4])


def test_a_second_process_stands_by(
    broker: Broker, queue: Queue, handler: Handler, live: Callable[..., Subscriber]
) -> None:
    place = MemoryPlace()
    with running(live(place=place)):
        is_bound(broker, queue)
        publish(broker, [added(1)])
        wait_for(lambda: handler.sequences == [1])
        second = Running(live(place=place))
        publish(broker, [added(position) for position in range(2, 50)])
        wait_for(lambda: handler.sequences == up_to(49))
    publish(broker, [added(50)])
    wait_for(lambda: handler.sequences == up_to(50))
    second.stop()


def test_without_an_exchange_it_waits_for_one(broker: Broker, queue: Queue, handler: Handler) -> None:
    with broker.channel() as channel:
        channel.exchange_delete(EVENTS)
    with running(Subscriber(handler, queue=queue, only=OF_GATEWAY)):
        wait_for(lambda: broker.exists(queue.name))
        with broker.channel() as channel:
            channel.exchange_declare(EVENTS, "topic", durable=True)
        is_bound(broker, queue)
        publish(broker, [added(1)])
        wait_for(lambda: handler.sequences == [1])


# What a person must mend


def test_a_wrong_password_ends_it(broker: Broker, handler: Handler) -> None:
    wrong = Queue(broker.url.replace("kameng:", "kameng:x"), "test.never")
    one = Running(Subscriber(handler, queue=wrong))
    wait_for(one.ended)
    assert isinstance(one.error, Misconfigured)
    assert "refuses this user" in str(one.error)


def test_a_queue_of_another_shape_ends_it(broker: Broker, queue: Queue, handler: Handler) -> None:
    with broker.channel() as channel:
        channel.queue_declare(queue.name, durable=True, arguments={"x-queue-type": "quorum"})
    one = Running(Subscriber(handler, queue=queue))
    wait_for(one.ended)
    assert isinstance(one.error, Misconfigured)
    assert "is there with other properties" in str(one.error)


@pytest.mark.parametrize(
    "wrong", [{"amqp_url": "http://x/"}, {"name": ""}, {"name": "amq.x"}, {"prefetch": 0}, {"delivery_limit": 0}]
)
def test_a_queue_that_can_not_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(Misconfigured):
        Queue(**{"amqp_url": "amqp://localhost/", "name": "x", **wrong})  # pyright: ignore


def test_a_subscriber_of_nothing_is_refused(handler: Handler) -> None:
    with pytest.raises(Misconfigured, match="a feed, a queue, or both"):
        Subscriber(handler)


# By hand


def test_dead_letters_by_hand(
    broker: Broker, queue: Queue, handler: Handler, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()  # what a subscriber logged before
        ended = command(["--amqp-url", queue.amqp_url, *arguments])
        printed = capsys.readouterr()
        return ended, printed.out, printed.err

    assert run("dead", queue.name) == (1, "", f"there is no queue {queue.dead}\n")
    handler.raises[2] = ValueError()
    with running(Subscriber(handler, queue=queue, feed=Logged(2), only=OF_GATEWAY, attempts=1)):
        wait_for(lambda: broker.exists(queue.dead) and waiting_in(broker, queue.dead) == 1)
    assert run("dead", queue.name)[1] == "gateway.StaffAdded.v1\tgateway 2\treplay\tid-gateway-2\n"
    assert run("redrive", queue.name) == (0, f"1 put back into {queue.name}\n", "")
    assert (
        run("delete", queue.name)[1]
        == f"{queue.name} deleted, with 1 messages\n{queue.dead} deleted, with 0 messages\n"
    )
    with pytest.raises(SubscriberError):
        DeadLetters(queue).redrive()
    assert command(["dead", "x"]) == 1
