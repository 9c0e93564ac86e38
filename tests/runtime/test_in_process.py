"""The consumer loop, on the transport inside one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Barrier, Thread

import pytest
import sqlalchemy as sa

from shared.eventstore.engines import open_engine
from shared.messages.messages import EventBatch
from shared.messages.wire import MessageBody
from shared.runtime import consumer_loop, in_process
from shared.runtime.consumer_loop import ConsumerLoop, make_call
from shared.runtime.embedded import settled
from shared.runtime.in_process import InProcessMessage, InProcessNetwork, InProcessTransport
from shared.runtime.service import Service
from shared.scheduler.scheduler import DueCall
from shared.writer.external_calls import CallResult
from tests.runtime.builders import (
    ManualClock,
    Outage,
    failing,
    failing_commit,
    logged,
    press,
    presses,
    start,
)
from tests.runtime.toy import (
    Adapters,
    ToyLit,
    button,
    lamp,
)


class LossyNetwork(InProcessNetwork):
    """Loses what is published while told to."""

    losing = False

    def publish(self, exchange: str, body: MessageBody) -> None:
        if not (self.losing and isinstance(body, EventBatch)):
            super().publish(exchange, body)


class Pair:
    """The toy services on a network, turned by hand."""

    def __init__(self, folder: Path) -> None:
        self.network, self.clock, self.adapters = LossyNetwork(), ManualClock(), Adapters()
        self.calls: list[tuple[DueCall, Callable[[CallResult], None]]] = []
        self.engines: list[sa.Engine] = []
        self.transports: dict[str, InProcessTransport] = {}
        self.button = self._loop(button(), folder)
        self.lamp = self._loop(lamp(self.adapters), folder)
        self.drain()

    def _loop(self, service: Service, folder: Path) -> ConsumerLoop[InProcessMessage]:
        url = f"sqlite:///{folder / service.name}.sqlite3"
        self.engines += [open_engine(url, writer=True), open_engine(url, writer=False)]
        writer = start(service, self.engines[-2], self.clock)
        transport = self.network.attach(service.name, service.sources(), self.engines[-1])
        self.transports[service.name] = transport
        return ConsumerLoop(
            writer,
            transport,
            lambda call, done: self.calls.append((call, done)),
            transport.wake,
            monotonic=lambda: self.clock.now.timestamp(),
        )

    def drain(self) -> None:
        while any([self.button.turn(), self.lamp.turn()]):
            pass

    def press(self, id_: str, name: str = "a", **fields: object) -> None:
        self.network.ask("button", press(id_, name, **fields))
        self.button.turn()

    def announce(self) -> None:
        """As the host does every second; a moment later it is believed."""
        self.network.announce("button")
        self.drain()
        self.clock.advance(1)

    def settled(self) -> bool:
        return not self.network.is_waiting() and settled({"button": self.button, "lamp": self.lamp})

    def lit(self) -> list[str]:
        return [event.note for event in logged(self.lamp.writer) if isinstance(event, ToyLit)]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    opened = Pair(tmp_path)
    yield opened
    for engine in opened.engines:
        engine.dispose()


# Slices


def test_a_command_leads_to_events_here_and_there(pair: Pair) -> None:
    future = pair.network.ask("button", press("1", note="x"))
    assert not future.done()
    pair.drain()
    assert future.result(0).outcome == "accepted"
    assert pair.lit() == ["x"]
    assert not pair.button.turn()


def test_a_lost_slice_shows_when_the_next_one_comes(pair: Pair) -> None:
    pair.network.losing = True
    pair.press("1", note="1")
    pair.press("2", note="2")
    pair.network.losing = False
    pair.press("3", note="3")
    pair.drain()
    assert pair.lit() == ["1", "2", "3"]


def test_a_lost_last_slice_shows_when_the_head_is_announced(pair: Pair) -> None:
    pair.press("1", note="1")
    pair.network.losing = True
    pair.press("2", note="2")
    pair.drain()
    assert (pair.lit(), pair.lamp.lag()) == (["1"], {"button": 0})
    pair.announce()
    assert pair.lamp.lag() == {"button": 1}
    pair.drain()
    assert (pair.lit(), pair.lamp.lag()) == (["1", "2"], {"button": 0})


def test_slices_beyond_the_backlog_are_left_out_and_pulled_later(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_process, "BACKLOG", 2)
    monkeypatch.setattr(consumer_loop, "PULL", 2)
    for n in range(7):
        pair.press(str(n), note=str(n))
    pair.announce()
    pair.drain()
    assert pair.lit() == ["0", "1", "2", "3", "4", "5", "6"]


def test_a_pull_gives_what_is_behind_a_position_and_an_empty_one_stays(pair: Pair) -> None:
    pair.press("1", times=3)
    part = pair.network.pull("button", 1, 10)
    assert (part.first, part.last, [one.position for one in part.events]) == (2, 3, [2, 3])
    assert pair.network.pull("button", 1, 1).last == 2
    assert pair.network.pull("button", 3, 10) == EventBatch("button", 4, 3, [])


def test_a_lost_acknowledgement_of_a_commit_loses_no_reader(pair: Pair) -> None:
    future = pair.network.ask("button", press("1", note="1"))
    with failing_commit(pair.button.writer.engine, committed=True), pytest.raises(Outage):
        pair.button.turn()
    pair.drain()
    pair.announce()
    pair.drain()
    assert (future.result(0).outcome, pair.lit()) == ("accepted", ["1"])


# Replies


def test_the_work_of_a_failed_turn_is_kept_and_its_replies_end(pair: Pair) -> None:
    futures = [pair.network.ask("button", press(str(n))) for n in range(3)]
    with failing(pair.button.writer.engine, "UPDATE head"):
        for _ in range(3):
            with pytest.raises(Outage):
                pair.button.turn()
    assert [future.done() for future in futures] == [False] * 3
    assert not pair.settled()
    pair.drain()
    assert [future.result(0).answer["presses"] for future in futures] == [1, 2, 3]
    assert pair.settled()


def test_an_outage_while_pulling_is_made_good(pair: Pair) -> None:
    pair.network.losing = True
    pair.press("1", note="1")
    pair.network.losing = False
    pair.press("2", note="2")
    with failing(pair.engines[1], "FROM log"), pytest.raises(Outage):
        pair.lamp.turn()
    pair.announce()
    pair.drain()
    assert pair.lit() == ["1", "2"]
    assert pair.settled()


def test_every_sender_of_one_id_gets_a_reply(pair: Pair) -> None:
    same = press("1")
    futures = [pair.network.ask("button", message) for message in (same, same, press("1", times=2))]
    pair.drain()
    assert [future.result(0).outcome for future in futures] == ["accepted", "accepted", "conflict"]


def test_a_sender_that_went_away_stops_nobody(pair: Pair) -> None:
    gone, waiting = pair.network.ask("button", press("1", note="1")), pair.network.ask("button", press("2", note="2"))
    assert gone.cancel()
    pair.drain()
    assert (waiting.result(0).outcome, pair.lit()) == ("accepted", ["1", "2"])
    assert pair.settled()


def test_senders_on_many_threads_all_get_their_replies(pair: Pair) -> None:
    barrier, futures = Barrier(5), []

    def send_many(thread: int) -> None:
        barrier.wait()
        futures.extend(pair.network.ask("button", press(f"{n}", f"b{n}")) for n in range(40))

    threads = [Thread(target=send_many, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    barrier.wait()
    while any(thread.is_alive() for thread in threads) or pair.button.turn():
        pass
    pair.drain()
    assert [future.result(0).outcome for future in futures] == ["accepted"] * 160
    assert len(logged(pair.button.writer)) == 40


def test_waiting_ends_when_woken(pair: Pair) -> None:
    pair.transports["lamp"].wake()
    pair.transports["lamp"].wait(3_600)
    assert not pair.lamp.turn()


# Calls


def test_calls_go_out_and_their_results_come_back(pair: Pair) -> None:
    pair.press("1", note="call")
    pair.lamp.turn()
    assert not pair.settled()
    call, done = pair.calls.pop()
    done(make_call(pair.lamp.writer, call))
    pair.drain()
    assert pair.adapters.succeeded == {"a": 1}
    assert pair.settled()


def test_what_is_due_is_done_without_waiting(pair: Pair) -> None:
    pair.press("1", note="later")
    pair.drain()
    pair.clock.advance(60)
    assert pair.lamp.patience() == 0
    assert pair.lamp.turn()
    pair.drain()


def test_a_slice_of_a_restarted_source_is_taken_up_where_it_was(pair: Pair) -> None:
    for batch in (presses(1, "1", "2"), presses(2, "2", "3")):
        pair.transports["lamp"].receive(batch)
    pair.drain()
    assert pair.lit() == ["1", "2", "3"]
