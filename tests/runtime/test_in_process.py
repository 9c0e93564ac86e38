"""The bus inside one process, and the runner that feeds a writer from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Barrier, Thread

import pytest
import sqlalchemy as sa

from shared.eventstore.engines import open_engine
from shared.messages.messages import EventBatch
from shared.runtime import consumer_loop as runners
from shared.runtime.consumer_loop import ConsumerLoop, make_call
from shared.runtime.in_process import InProcessBus
from shared.runtime.service import Service
from shared.scheduler.scheduler import DueCall
from tests.runtime.builders import (
    Clock,
    Outage,
    failing,
    failing_commit,
    logged,
    press,
    presses,
    start,
)
from tests.runtime.toy import (
    Outside,
    ToyLit,
    button,
    lamp,
)


class LossyBus(InProcessBus):
    """Loses slices while told to."""

    losing = False

    def publish(self, part: EventBatch) -> None:
        if not self.losing:
            super().publish(part)


class Pair:
    """The toy services on a bus, turned by hand."""

    def __init__(self, folder: Path) -> None:
        self.bus, self.clock, self.outside = LossyBus(), Clock(), Outside()
        self.calls: list[DueCall] = []
        self.told: list[Mapping[str, int]] = []
        self.engines: list[sa.Engine] = []
        self.button = self._run(button(), folder)
        self.lamp = self._run(lamp(self.outside), folder)

    def _run(self, service: Service, folder: Path) -> ConsumerLoop:
        url = f"sqlite:///{folder / service.name}.sqlite3"
        self.engines += [open_engine(url, writer=True), open_engine(url, writer=False)]
        writer = start(service, self.engines[-2], self.clock)
        run = ConsumerLoop(writer, self.bus, self.calls.append, self.told.append)
        self.bus.attach(service.name, run.accept, self.engines[-1])
        run.start()
        return run

    def drain(self) -> None:
        while any([self.button.turn(), self.lamp.turn()]):
            pass

    def press(self, id_: str, name: str = "a", **fields: object) -> None:
        self.bus.send("button", press(id_, name, **fields))
        self.button.turn()

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
    future = pair.bus.send("button", press("1", note="x"))
    assert not future.done()
    pair.drain()
    assert future.result(0).outcome == "accepted"
    assert pair.lit() == ["x"]
    assert pair.told[-1] == {"button": 1, "lamp": 1}
    assert not pair.button.turn()


def test_a_lost_slice_shows_when_the_next_one_comes(pair: Pair) -> None:
    pair.bus.losing = True
    pair.press("1", note="1")
    pair.press("2", note="2")
    pair.bus.losing = False
    pair.press("3", note="3")
    pair.drain()
    assert pair.lit() == ["1", "2", "3"]


def test_a_lost_last_slice_shows_when_the_head_is_announced(pair: Pair) -> None:
    pair.press("1", note="1")
    pair.bus.losing = True
    pair.press("2", note="2")
    pair.drain()
    assert (pair.lit(), pair.lamp.lag()) == (["1"], {"button": 0})
    pair.button.announce()
    assert pair.lamp.lag() == {"button": 1}
    pair.drain()
    assert (pair.lit(), pair.lamp.lag()) == (["1", "2"], {"button": 0})


def test_slices_beyond_the_backlog_are_left_out_and_pulled_later(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners, "BACKLOG", 2)
    monkeypatch.setattr(runners, "PULL", 2)
    for n in range(7):
        pair.press(str(n), note=str(n))
    pair.button.announce()
    pair.drain()
    assert pair.lit() == ["0", "1", "2", "3", "4", "5", "6"]


def test_a_pull_gives_what_is_behind_a_position_and_an_empty_one_stays(pair: Pair) -> None:
    pair.press("1", times=3)
    part = pair.bus.pull("button", 1, 10)
    assert (part.first, part.last, [one.position for one in part.events]) == (2, 3, [2, 3])
    assert pair.bus.pull("button", 1, 1).last == 2
    assert pair.bus.pull("button", 3, 10) == EventBatch("button", 4, 3, [])


def test_a_lost_acknowledgement_of_a_commit_loses_no_reader(pair: Pair) -> None:
    future = pair.bus.send("button", press("1", note="1"))
    with failing_commit(pair.button.writer.engine, committed=True), pytest.raises(Outage):
        pair.button.turn()
    pair.drain()
    pair.button.announce()
    pair.drain()
    assert (future.result(0).outcome, pair.lit()) == ("accepted", ["1"])


# Replies


def test_the_work_of_a_failed_turn_is_kept_and_its_replies_end(pair: Pair) -> None:
    futures = [pair.bus.send("button", press(str(n))) for n in range(3)]
    with failing(pair.button.writer.engine, "UPDATE head"):
        for _ in range(3):
            with pytest.raises(Outage):
                pair.button.turn()
    assert [future.done() for future in futures] == [False] * 3
    assert not pair.button.is_settled({})
    pair.drain()
    assert [future.result(0).answer["presses"] for future in futures] == [1, 2, 3]
    assert pair.button.is_settled({})


def test_an_outage_while_pulling_is_made_good(pair: Pair) -> None:
    pair.bus.losing = True
    pair.press("1", note="1")
    pair.bus.losing = False
    pair.press("2", note="2")
    with failing(pair.engines[1], "FROM log"), pytest.raises(Outage):
        pair.lamp.turn()
    pair.button.announce()
    pair.drain()
    assert pair.lit() == ["1", "2"]
    assert pair.lamp.is_settled({"button": 2})


def test_every_sender_of_one_id_gets_a_reply(pair: Pair) -> None:
    same = press("1")
    futures = [pair.bus.send("button", message) for message in (same, same, press("1", times=2))]
    pair.drain()
    assert [future.result(0).outcome for future in futures] == ["accepted", "accepted", "conflict"]


def test_a_sender_that_went_away_stops_nobody(pair: Pair) -> None:
    gone, waiting = pair.bus.send("button", press("1", note="1")), pair.bus.send("button", press("2", note="2"))
    assert gone.cancel()
    pair.drain()
    assert (waiting.result(0).outcome, pair.lit()) == ("accepted", ["1", "2"])
    assert pair.button.is_settled({})


def test_senders_on_many_threads_all_get_their_replies(pair: Pair) -> None:
    barrier, futures = Barrier(5), []

    def send_many(thread: int) -> None:
        barrier.wait()
        futures.extend(pair.bus.send("button", press(f"{n}", f"b{n}")) for n in range(40))

    threads = [Thread(target=send_many, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    barrier.wait()
    while any(thread.is_alive() for thread in threads) or pair.button.turn():
        pass
    pair.drain()
    assert [future.result(0).outcome for future in futures] == ["accepted"] * 160
    assert len(logged(pair.button.writer)) == 40


def test_waiting_ends_when_told(pair: Pair) -> None:
    pair.lamp.wake()
    assert not pair.lamp.turn(wait_seconds=60)


# Calls


def test_calls_go_out_and_their_results_come_back(pair: Pair) -> None:
    pair.press("1", note="call")
    pair.lamp.turn()
    assert not pair.lamp.is_settled({})
    pair.lamp.offer(make_call(pair.lamp.writer, pair.calls.pop()))
    pair.drain()
    assert pair.outside.told == {"a": 1}
    assert pair.lamp.is_settled({"button": 1})


def test_what_is_due_is_done_without_waiting(pair: Pair) -> None:
    pair.press("1", note="later")
    pair.drain()
    pair.clock.advance(60)
    assert pair.lamp.turn(wait_seconds=60)
    assert not pair.lamp.turn()


def test_a_slice_of_a_restarted_source_is_taken_up_where_it_was(pair: Pair) -> None:
    pair.lamp.on_slice(presses(1, "1", "2"))
    pair.lamp.on_slice(presses(2, "2", "3"))
    pair.drain()
    assert pair.lit() == ["1", "2", "3"]
