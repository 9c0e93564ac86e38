"""The client of the broker: replies find their callers, whatever happens on the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
import tenacity

from shared.broker import client as clients
from shared.broker.client import BrokerBusy, BrokerClient
from shared.broker.log_server import LogServer
from shared.broker.requests import CommandRequest, PullRequest
from shared.eventstore.engines import open_engine
from shared.messages.messages import EventBatch, Reply
from shared.messages.topology import inbox, pulls
from shared.messages.wire import Malformed, ReplyEnvelope
from tests.broker.broker import Broker
from tests.broker.stand_in import StandInWriter, answered, opened
from tests.eventstore.builders import append, created, events
from tests.runtime.builders import press
from tests.waiting import PATIENCE, wait_for

NEVER = 3600.0
NOWHERE = "amqp://guest:guest@127.0.0.1:1/"


@pytest.fixture(autouse=True)
def sends_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent again for a reply that takes long, so that a slow machine changes no count."""
    monkeypatch.setattr(CommandRequest, "again_seconds", NEVER)


# Replies


def test_every_caller_gets_the_reply_to_its_own_command(client: BrokerClient, writer: StandInWriter) -> None:
    barrier, wrong = threading.Barrier(8), []

    def call(caller: int) -> None:
        barrier.wait()
        futures = {id_: client.send(writer.service, press(id_)) for id_ in (f"{caller}-{n}" for n in range(100))}
        wrong.extend(id_ for id_, future in futures.items() if answered(future) != id_)

    callers = [Thread(target=call, args=(caller,)) for caller in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert wrong == []
    assert len(writer.ids) == len(set(writer.ids)) == 800
    assert client.waiting == 0


def test_a_reply_comes_as_it_was_given(client: BrokerClient, broker: Broker, writer: StandInWriter) -> None:
    given = Reply("refused", writer.service, 7, code="too-late", detail="太晚了", status=409, facts={"left": 0})
    writer.answer = lambda asked: ReplyEnvelope(asked.ticket, given)
    assert client.send(writer.service, press("1")).result(PATIENCE) == given


def test_what_waits_shares_messages(broker: Broker, service: str) -> None:
    one, two = StandInWriter(service), StandInWriter(f"{service}-2")
    client = BrokerClient("test", broker.url)
    with opened(broker, one), opened(broker, two):
        futures = [client.send(one.service, press(str(n))) for n in range(250)]
        futures += [client.send(two.service, press(str(n))) for n in range(30)]
        with client:
            assert [answered(future) for future in futures] == [*map(str, range(250)), *map(str, range(30))]
            assert [len(message) for message in one.messages] == [100, 100, 50]
            assert [len(message) for message in two.messages] == [30]
            assert (client.messages, client.commands) == (4, 280)


def test_what_is_too_long_for_one_message_is_spread(
    broker: Broker, writer: StandInWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "MAX_BYTES", 3_000)
    client = BrokerClient("test", broker.url)
    futures = [
        client.send(writer.service, press(str(n), note="x" * size)) for n, size in enumerate([10, 1000, 9000, 10])
    ]
    with client:
        assert [answered(future) for future in futures] == ["0", "1", "2", "3"]
        assert [len(message) for message in writer.messages] == [2, 1, 1]


def test_a_command_that_can_not_be_sent_fails_alone(broker: Broker, writer: StandInWriter) -> None:
    client = BrokerClient("test", broker.url)
    futures = [client.send(writer.service, press(id_)) for id_ in ("1", "2", "\ud800", "3")]
    with client:
        assert [answered(futures[n]) for n in (0, 1, 3)] == ["1", "2", "3"]
        assert isinstance(futures[2].exception(PATIENCE), Malformed)


def test_nonsense_among_the_replies_is_dropped(client: BrokerClient, broker: Broker, writer: StandInWriter) -> None:
    writer.silent = True
    future = client.send(writer.service, press("1"))
    wait_for(lambda: writer.messages)
    asked = writer.messages[0][0]
    unknown = ReplyEnvelope("no such ticket", Reply("accepted", "", 0))
    for body in (b"{", [asked], [unknown, writer.answer(asked)]):
        broker.send(asked.reply_to, body)
    assert answered(future) == "1"
    assert client.late == 1


def test_a_caller_that_went_away_stops_nobody(client: BrokerClient, writer: StandInWriter) -> None:
    writer.silent = True
    gone, left = client.send(writer.service, press("1")), client.send(writer.service, press("2"))
    assert gone.cancel()
    writer.silent = False
    assert answered(client.send(writer.service, press("3"))) == "3"
    wait_for(lambda: client.waiting == 0)
    assert answered(left) == "2"


# Nobody there, and no reply


def test_a_command_waits_for_its_service_to_appear(client: BrokerClient, broker: Broker, service: str) -> None:
    future = client.send(service, press("1"))
    wait_for(lambda: client.messages > 1)
    writer = StandInWriter(service)
    with opened(broker, writer):
        assert answered(future) == "1"
        assert writer.ids == ["1"]


def test_after_the_deadline_the_outcome_is_unknown_and_a_late_reply_is_dropped(
    broker: Broker, writer: StandInWriter
) -> None:
    writer.silent = True
    with BrokerClient("test", broker.url, deadline_seconds=0.5) as client:
        future = client.send(writer.service, press("1"))
        with pytest.raises(TimeoutError, match="unknown"):
            future.result(PATIENCE)
        broker.send(writer.messages[0][0].reply_to, [writer.answer(writer.messages[0][0])])
        wait_for(lambda: client.late == 1)
        assert client.waiting == 0


@pytest.mark.parametrize("url", [NOWHERE, None])
def test_without_a_broker_or_a_service_the_deadline_comes(
    broker: Broker, service: str, url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenacity, "wait_random_exponential", lambda **_: tenacity.wait_fixed(3600))
    with BrokerClient("test", url or broker.url, deadline_seconds=0.5) as client:
        futures = [client.send(service, press(str(n))) for n in range(3)]
        assert [type(future.exception(PATIENCE)) for future in futures] == [TimeoutError] * 3


@pytest.mark.parametrize("declared", [True, False])
def test_what_nobody_is_there_to_decide_is_given_up_long_before_the_deadline(
    broker: Broker, service: str, declared: bool
) -> None:
    if declared:
        broker.declare(inbox(service, ()))
    with BrokerClient("test", broker.url, deadline_seconds=NEVER, patience_seconds=0.1) as client:
        futures = [client.send(service, press(str(n))) for n in range(3)]
        errors = [future.exception(PATIENCE) for future in futures]
        assert {str(error) for error in errors} == {f"nobody decides for {service} now"}
        assert client.waiting == 0
        writer = StandInWriter(service)
        with opened(broker, writer):
            assert answered(client.send(service, press("1"))) == "1"  # the same command again finds its outcome


def test_a_writer_that_is_there_is_waited_for_however_slow(
    broker: Broker, writer: StandInWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    usual = BrokerClient._on_consumers
    monkeypatch.setattr(BrokerClient, "_on_consumers", lambda *args: (looks.append(args[2]), usual(*args)))
    writer.silent = True
    with BrokerClient("test", broker.url, patience_seconds=0.1) as client:
        future = client.send(writer.service, press("1"))
        wait_for(lambda: len(looks) > 1)
        assert set(looks) == {1}
        broker.send(writer.messages[0][0].reply_to, [writer.answer(writer.messages[0][0])])
        assert answered(future) == "1"


def test_a_writer_that_has_its_hands_full_is_there(broker: Broker, service: str) -> None:
    """Who may take no more before it has acknowledged something still counts."""
    queue, counts = broker.declare(inbox(service, ())), []
    with broker.channel() as busy, BrokerClient("test", broker.url) as client:
        busy.basic_qos(prefetch_count=1)
        busy.basic_consume(queue, lambda *_: None)
        for _ in range(3):
            broker.send(queue, b"[]")
        busy.connection.process_data_events(0)
        wait_for(lambda: client.connected)
        link = client._connection
        assert link
        client._loop.add_callback_threadsafe(lambda: link.count_consumers(queue, counts.append))
        wait_for(lambda: counts)
    assert counts == [1]


def test_no_more_is_taken_on_than_can_wait(broker: Broker, writer: StandInWriter) -> None:
    writer.silent = True
    with BrokerClient("test", broker.url, most_waiting=2) as client:
        kept = [client.send(writer.service, press(str(n))) for n in range(2)]
        refused = client.send(writer.service, press("2"))
        assert isinstance(refused.exception(0), BrokerBusy)
        wait_for(lambda: len(writer.ids) == 2)
        broker.send(writer.messages[0][0].reply_to, [writer.answer(writer.messages[0][0])])
        assert answered(kept[0]) == "0"
        writer.silent = False
        assert answered(client.send(writer.service, press("3"))) == "3"
        assert "2" not in writer.ids


def test_whoever_waits_at_the_end_gets_an_error(broker: Broker, writer: StandInWriter) -> None:
    writer.silent = True
    with BrokerClient("test", broker.url) as client:
        future = client.send(writer.service, press("1"))
        wait_for(lambda: writer.messages)
    assert isinstance(future.exception(0), TimeoutError)
    with pytest.raises(RuntimeError, match="closed"):
        client.send(writer.service, press("2"))


def test_it_ends_without_a_broker_as_well() -> None:
    with BrokerClient("test", NOWHERE) as client:
        future = client.send("nobody", press("1"))
    assert isinstance(future.exception(0), TimeoutError)


# Pulls


@pytest.fixture
def button(tmp_path: Path, broker: Broker) -> Iterator[LogServer]:
    """A log server with 30 events, not running."""
    engine = open_engine(f"sqlite:///{tmp_path / 'button.sqlite3'}", writer=True)
    append(engine, created(engine), events(1, 30))
    broker.forget_later(pulls("button").name)
    yield LogServer("button", engine, broker.url, every_seconds=0.05)
    engine.dispose()


@contextmanager
def running(server: LogServer) -> Iterator[None]:
    stop = Event()
    thread = Thread(target=server.run, args=(stop,), daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_pull_gives_what_is_behind_a_position_and_an_empty_one_stays(client: BrokerClient, button: LogServer) -> None:
    with running(button):
        part = client.pull("button", 10, 5)
        assert (part.first, part.last, [one.position for one in part.events]) == (11, 15, [11, 12, 13, 14, 15])
        assert client.pull("button", 30, 5) == EventBatch("button", 31, 30, [])


def test_pulls_at_the_same_time_get_what_each_asked_for(client: BrokerClient, button: LogServer) -> None:
    got: dict[tuple[int, int], list[int]] = {}

    def pull(after: int, limit: int) -> None:
        got[after, limit] = [one.position for one in client.pull("button", after, limit).events]

    asked = [(after, limit) for after in (0, 7, 20) for limit in (50, 3, 1)]
    threads = [Thread(target=pull, args=one) for one in asked]
    with running(button):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert got.keys() == set(asked)
    for (after, limit), positions in got.items():
        assert positions == list(range(after + 1, after + 1 + len(positions)))
        assert 1 <= len(positions) <= limit


def test_a_pull_waits_for_the_log_server_to_appear(
    client: BrokerClient, button: LogServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PullRequest, "again_seconds", 0.1)
    got: list[EventBatch] = []
    thread = Thread(target=lambda: got.append(client.pull("button", 0, 30)))
    thread.start()
    wait_for(lambda: client.waiting)
    with running(button):
        thread.join(PATIENCE)
    assert [part.last for part in got] == [30]


def test_a_pull_that_nobody_answers_ends_at_the_deadline(broker: Broker, service: str) -> None:
    with (
        BrokerClient("test", broker.url, deadline_seconds=0.3) as client,
        pytest.raises(TimeoutError),
    ):
        client.pull(service, 0, 10)
