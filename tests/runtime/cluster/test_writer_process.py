"""A writer between broker and database, on a thread of this process."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from deploy.local.waiting import until
from shared.broker.client import BrokerClient
from shared.eventstore import schema
from shared.eventstore.engines import open_engine
from shared.messages.messages import EventBatch
from shared.messages.topology import Queue, log_exchange
from shared.messages.wire import MessageBody
from shared.runtime.cluster.writer_process import WriterProcess
from shared.runtime.service import ReadSide
from tests.broker.broker import Consumer
from tests.runtime.builders import ManualClock, press, start
from tests.runtime.cluster.builders import Caller, FakeLog, Ground, in_process
from tests.runtime.toy import (
    POISON,
    REFUSING,
    Adapters,
    ToyCallEnded,
    ToyDimmed,
    ToyLight,
    ToyLit,
    ToyPress,
    ToyPressed,
    button,
    lamp,
)
from tests.waiting import wait_for


def lit(ground: Ground) -> list[str]:
    """The notes of the presses that the lamp has applied, in order."""
    return [event.note for event in ground.events("lamp") if isinstance(event, ToyLit)]


def notes(log: FakeLog) -> list[str]:
    return [note for _, note in log.notes]


def a_log(ground: Ground, length: int) -> FakeLog:
    """A log of so many presses of ten buttons, each with a note of its own."""
    return FakeLog(ground.servers.amqp_url, *((f"b{n % 10}", f"n{n}") for n in range(length)))


def is_consuming(process: WriterProcess) -> bool:
    return process.readiness().ready and process.readiness().role == "leader"


def test_a_command_that_is_asked_gets_its_answer(ground: Ground) -> None:
    with in_process(button(), ground), Caller(ground.servers.amqp_url, "button") as caller:
        found = caller.insist({"1": ToyPress(button="a"), "2": ToyPress(button="a", note=REFUSING)})

        assert (found["1"].outcome, found["1"].position, found["1"].answer) == ("accepted", 1, {"presses": 1})
        assert (found["2"].outcome, found["2"].code) == ("refused", "stuck")
        assert len(ground.events("button")) == 1


def test_a_command_that_comes_again_gets_the_same_answer(ground: Ground) -> None:
    with in_process(button(), ground), Caller(ground.servers.amqp_url, "button") as caller:
        caller.insist({"1": ToyPress(button="a")})
        caller.ask({"1": ToyPress(button="a")})
        wait_for(lambda: len(caller.answered["1"]) == 2, "the second answer")

        first, second = caller.answered["1"]
        assert (second.repeated, second.answer, second.position) == (True, first.answer, first.position)
        assert len(ground.events("button")) == 1


def test_what_a_writer_commits_is_published_at_once_and_in_order(ground: Ground) -> None:
    heard: list[EventBatch] = []
    queue = Queue(f"test.{uuid4().hex}", (log_exchange("button"),), exclusive=True)

    def hear(_: Consumer, body: MessageBody) -> None:
        assert isinstance(body, EventBatch)
        heard.append(body)

    with (
        Consumer(ground.servers.amqp_url, queue, hear),
        in_process(button(), ground),
        Caller(ground.servers.amqp_url, "button") as caller,
    ):
        for number in range(5):
            caller.insist({str(number): ToyPress(button="a", note=str(number))})
        wait_for(lambda: heard and heard[-1].last == 5, "the last slice")

    published = [one for part in heard for one in part.events]
    assert [one.position for one in published] == [1, 2, 3, 4, 5]
    assert [one.event for one in published] == ground.events("button")


def test_a_writer_that_rests_commits_what_came_meanwhile_together(ground: Ground) -> None:
    with (
        in_process(replace(button(), commit_interval_seconds=2.0), ground),
        Caller(ground.servers.amqp_url, "button") as caller,
    ):
        caller.insist({"1": ToyPress(button="a")})
        for number in "234":
            caller.ask({number: ToyPress(button="a")})
        wait_for(lambda: len(caller.answered) == 4, "every answer")

    first, *others = (row["at"] for row in ground.rows(schema.log))
    assert len(others) == 3
    assert len({first, *others}) == 2


def test_a_writer_whose_tables_are_queried_tells_how_far_they_have_come(ground: Ground) -> None:
    shown: list[dict[str, int]] = []
    queried = replace(lamp(), read_side=ReadSide())
    with (
        BrokerClient("test", ground.servers.amqp_url, reader="lamp", on_shown=lambda found: shown.append(dict(found))),
        in_process(queried, ground),
        a_log(ground, 3) as log,
    ):
        wait_for(lambda: shown and shown[-1] == {"button": 3, "lamp": 3}, "all of it to be shown")
        log.notes += [("c", "last")]
        log.publish(log.part(4, 4))
        wait_for(lambda: shown[-1] == {"button": 4, "lamp": 4}, "the last to be shown")


def test_slices_that_come_twice_late_or_never_are_applied_once_and_in_order(ground: Ground) -> None:
    with in_process(lamp(), ground) as process, a_log(ground, 40) as log:
        wait_for(lambda: lit(ground) == notes(log), "what was there before")
        log.notes += [("c", f"m{n}") for n in range(60)]
        log.publish(log.part(41, 50), log.part(41, 50), log.part(61, 70), log.part(51, 60), log.part(45, 65))
        wait_for(lambda: lit(ground) == notes(log), "all of it")

        assert process.readiness().lag == {"button": 0}


def test_a_lost_last_slice_shows_by_the_head(ground: Ground) -> None:
    with in_process(lamp(), ground) as process, a_log(ground, 3) as log:
        wait_for(lambda: lit(ground) == notes(log), "what was there before")
        log.notes += [("c", "last")]
        log.publish(log.head())

        wait_for(lambda: lit(ground) == notes(log), "the last")
        assert process.readiness().head == 4


def test_a_long_log_is_pulled_page_by_page_one_at_a_time(ground: Ground) -> None:
    with in_process(lamp(), ground) as process, a_log(ground, 2_500) as log:
        wait_for(lambda: is_consuming(process), "a leader")
        log.publish(log.head())
        wait_for(lambda: len(lit(ground)) == 2_500, "all of it")

        assert lit(ground) == notes(log)
        assert sorted({pull.after for pull in log.pulled}) == [0, 1_000, 2_000]


def test_a_pull_that_nobody_answers_is_sent_again(ground: Ground) -> None:
    with in_process(lamp(), ground) as process:
        wait_for(lambda: is_consuming(process), "a leader")
        with a_log(ground, 0) as log:
            log.notes += [("a", "n")]
            log.publish(log.head())
            wait_for(lambda: lit(ground) == ["n"], "what was missing")


def test_messages_that_nobody_can_read_are_dropped(ground: Ground) -> None:
    with in_process(button(), ground) as process, Caller(ground.servers.amqp_url, "button") as caller:
        wait_for(lambda: is_consuming(process), "a leader")
        caller.send(b"\xff", b"[]", b'["slice","button",1,9,[]]', b'["head","nobody",1]', b'["pull","a",1,1,"q"]')
        caller.send(b'["slice","nobody",1,0,[]]')

        assert caller.insist({"1": ToyPress(button="a")})["1"].outcome == "accepted"
        assert 'kameng_dropped_total{service="button"} 5.0' in process.metrics.render()


def test_poison_is_parked_and_holds_back_its_own_key_only(ground: Ground) -> None:
    with in_process(button(), ground), Caller(ground.servers.amqp_url, "button") as caller:
        presses = {f"{n}": ToyPress(button=f"b{n}") for n in range(20)}
        found = caller.insist({**presses, "bad": ToyPress(button="b3", note=POISON)})

        assert found.pop("bad").outcome == "failed"
        assert {reply.outcome for reply in found.values()} == {"accepted"}
        assert [row["id"] for row in ground.rows(schema.parked)] == ["command/bad"]


def test_a_poisonous_event_is_parked_and_the_others_go_on(ground: Ground) -> None:
    with (
        in_process(lamp(), ground),
        FakeLog(ground.servers.amqp_url, ("a", "1"), ("b", "reaction-poison"), ("c", "2"), ("b", "3")) as log,
    ):
        log.publish(log.head())
        wait_for(lambda: len(ground.rows(schema.parked)) == 2, "what is parked")

        assert lit(ground) == ["1", "2"]


def test_a_call_is_made_and_its_result_comes_back(ground: Ground) -> None:
    world = Adapters(failures=1)
    with in_process(lamp(world), ground), Caller(ground.servers.amqp_url, "lamp") as caller:
        caller.insist({"1": ToyLight(lamp="a", press="p", note="call")})
        wait_for(lambda: ToyCallEnded(lamp="a", succeeded=True) in ground.events("lamp"), "the result")

        assert world.calls == [1, 2]
        assert ground.rows(schema.agenda) == []


def test_what_falls_due_wakes_the_writer(ground: Ground) -> None:
    with in_process(lamp(), ground), Caller(ground.servers.amqp_url, "lamp") as caller:
        caller.insist({"1": ToyLight(lamp="a", press="p", note="at-once")})

        wait_for(lambda: ToyDimmed(lamp="a") in ground.events("lamp"), "the dimming")


def test_after_the_loss_of_every_database_session_nothing_is_lost(ground: Ground) -> None:
    presses = {f"{n}": ToyPress(button="a") for n in range(200)}
    with in_process(button(), ground), Caller(ground.servers.amqp_url, "button") as caller:
        for n, (id_, command) in enumerate(presses.items()):
            caller.ask({id_: command})
            if n % 50 == 25:
                ground.end_sessions()
        caller.insist(presses)

        assert len(ground.events("button")) == 200
        assert {caller.answered[id_][0].answer["presses"] for id_ in presses} == set(range(1, 201))


def test_a_database_error_keeps_the_batch(ground: Ground) -> None:
    """The lock's own session lives on, so the writer stays the leader."""
    with in_process(button(), ground) as process, Caller(ground.servers.amqp_url, "button") as caller:
        caller.insist({"0": ToyPress(button="a")})
        writer = process._session.writer  # pyright: ignore[reportPrivateUsage, reportOptionalMemberAccess]
        ground.end_sessions(of="writer")
        caller.ask({"1": ToyPress(button="a")})
        wait_for(lambda: "1" in caller.answered, "the answer")

        assert process._session.writer is writer  # pyright: ignore[reportPrivateUsage, reportOptionalMemberAccess]
        assert 'kameng_batch_retries_total{service="button"} 1.0' in process.metrics.render()


def test_whoever_is_fenced_starts_over(ground: Ground) -> None:
    """The other writer has no lock: as if this one had lost it unnoticed."""
    with in_process(button(), ground) as process, Caller(ground.servers.amqp_url, "button") as caller:
        caller.insist({"1": ToyPress(button="a")})
        engine = open_engine(ground.url, writer=True)
        other = start(button(), engine, ManualClock(datetime.now(UTC)))
        other.process([press("2", "a")])
        engine.dispose()
        found = caller.insist({"3": ToyPress(button="a")})["3"]

        assert (found.position, found.answer) == (3, {"presses": 3})
        assert is_consuming(process)
        assert len(ground.events("button")) == 3


def test_a_deleted_queue_is_made_anew_and_what_it_held_is_pulled(ground: Ground) -> None:
    with in_process(lamp(), ground), a_log(ground, 0) as log:
        for n in range(1, 301):
            log.notes += [(f"b{n % 10}", f"n{n}")]
            log.publish(log.part(n, n))
            if n % 100 == 0:
                ground.delete_queue("lamp")
        until(lambda: lit(ground) == notes(log), 2)
        log.publish(log.head())
        wait_for(lambda: lit(ground) == notes(log), "all of it")


def test_a_reader_whose_binding_is_gone_pulls_and_binds_again(ground: Ground) -> None:
    with in_process(lamp(), ground), a_log(ground, 3) as log:
        wait_for(lambda: lit(ground) == notes(log), "what was there before")
        ground.delete_exchange("button")
        log.notes += [("c", "unheard")]
        log.publish(log.part(4, 4), log.head())
        wait_for(lambda: lit(ground) == notes(log), "what it did not hear")
        log.notes += [("c", "heard")]
        pulled = len(log.pulled)
        log.publish(log.part(5, 5))
        wait_for(lambda: lit(ground) == notes(log), "what it hears")

        assert len(log.pulled) == pulled


def test_commands_to_a_queue_that_is_deleted_find_their_way(ground: Ground) -> None:
    presses = {f"{n}": ToyPress(button="a") for n in range(100)}
    with in_process(button(), ground), Caller(ground.servers.amqp_url, "button") as caller:
        for n, (id_, command) in enumerate(presses.items()):
            caller.ask({id_: command})
            if n % 30 == 20:
                ground.delete_queue("button")
        caller.insist(presses)

        assert ground.events("button") == [ToyPressed(button="a")] * 100


def test_one_of_two_writers_leads_and_the_other_stands_by(ground: Ground) -> None:
    with in_process(button(), ground) as first:
        wait_for(lambda: first.readiness().role == "leader", "a leader")
        with in_process(button(), ground) as second:
            wait_for(lambda: second.readiness().role == "standby" and second.readiness().ready, "a standby")

            assert first.readiness().role == "leader"
            assert 'kameng_leader{service="button"} 0.0' in second.metrics.render()
            first.stop()
            wait_for(lambda: is_consuming(second), "a successor")


def test_without_a_broker_a_writer_is_not_ready(ground: Ground) -> None:
    ground.settings = ground.settings.model_copy(update={"amqp_url": "amqp://guest:guest@127.0.0.1:1/"})
    with in_process(button(), ground) as process:
        wait_for(lambda: process.readiness().role == "leader", "a leader")
        found = process.readiness()

        assert (found.ready, found.broker, found.database, found.schema) == (False, False, True, True)
        assert process.is_alive()
