"""Group commit: what a writer answers, writes and refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from shared.eventstore import log, log_reader
from shared.messages.messages import EventBatch
from tests.runtime.builders import (
    ManualClock,
    lit,
    logged,
    press,
    press_lamp,
    pressed,
    presses,
    replies,
    rows,
    send,
    start,
    statements,
    tells,
)
from tests.runtime.toy import (
    REFUSING,
    Foreseeing,
    ToyDim,
    button,
    lamp,
    lamps,
)

# Commands


def test_a_hundred_commands_are_one_transaction_and_hardly_more_statements_than_one(engine: sa.Engine) -> None:
    commits: list[int] = []
    writer = start(button(), engine)
    writer.process([press("first", "a")])
    event.listen(engine, "commit", lambda connection: commits.append(1))

    with statements(engine) as for_one:
        writer.process([press("one", "b0")])
    with statements(engine) as for_many:
        writer.process([press(f"many-{n}", f"b{n}") for n in range(1, 101)])

    assert len(commits) == 2
    # Events are inserted many a statement, and those that are left over by another.
    assert len(for_one) <= len(for_many) <= len(for_one) + 1
    assert len(logged(writer)) == 102


def test_commands_of_one_batch_see_each_other(engine: sa.Engine) -> None:
    writer = start(button(), engine)
    got = replies(writer, press("1", times=2), press("2", times=3))
    assert [(tells(reply), reply.position) for reply in got] == [
        (("accepted", {"presses": 2}), 2),
        (("accepted", {"presses": 5}), 5),
    ]


def test_the_same_command_gets_the_same_answer_even_after_a_restart(engine: sa.Engine) -> None:
    writer = start(button(), engine)
    [first] = replies(writer, press("1", device="phone"))
    [again] = replies(writer, press("1", device="laptop"))
    [restarted] = replies(start(button(), engine), press("1"))
    assert not first.repeated
    assert again == restarted == replace(first, repeated=True)
    assert len(logged(writer)) == 1


def test_another_body_under_a_used_id_is_a_conflict(engine: sa.Engine) -> None:
    writer = start(button(), engine)
    writer.process([press("1")])
    [reply] = replies(writer, press("1", times=2))
    assert (reply.outcome, reply.code, reply.status) == ("conflict", "idempotency-conflict", 409)
    assert len(logged(writer)) == 1


def test_each_sender_in_a_batch_gets_the_reply_to_what_it_sent(engine: sa.Engine) -> None:
    writer = start(button(), engine)
    got = replies(writer, press("1"), press("1", times=2), press("1"))
    assert [(reply.outcome, reply.repeated) for reply in got] == [
        ("accepted", False),
        ("conflict", False),
        ("accepted", True),
    ]


def test_a_refusal_changes_nothing_and_is_remembered(engine: sa.Engine) -> None:
    writer = start(button(), engine)
    writer.process([press("0")])
    [refused] = replies(writer, press("1", note=REFUSING))
    writer.process([press("2")])
    [again] = replies(writer, press("1", note=REFUSING))
    assert (refused.outcome, refused.code, refused.facts, refused.position) == ("refused", "stuck", {"presses": 1}, 1)
    assert again == replace(refused, repeated=True)
    assert len(logged(writer)) == 2


def test_a_command_of_another_service_is_refused_and_holds_up_nothing(engine: sa.Engine) -> None:
    writer = start(button(), engine)
    got = replies(writer, send("1", ToyDim(lamp="a")), press("2"))
    assert [(reply.outcome, reply.code) for reply in got] == [("refused", "unknown-command"), ("accepted", "")]


def test_time_never_falls_along_the_log(engine: sa.Engine) -> None:
    clock = ManualClock()
    writer = start(button(), engine, clock)
    writer.process([press("1")])
    clock.advance(-3600)
    writer.process([press("2")])
    start(button(), engine, clock).process([press("3")])
    times = [recorded.at for recorded in log_reader.read_all(engine, "button")]
    assert times == sorted(times)


# Batches of events


def test_batches_twice_are_dropped_and_overlaps_applied_in_part(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    writer.process([presses(1, "1", "2"), presses(1, "1", "2")])
    writer.process([presses(2, "2", "3"), presses(1, "1"), presses(3, "3", "4")])
    assert lit(logged(writer)) == [("a", "1"), ("a", "2"), ("a", "3"), ("a", "4")]
    assert writer.positions == {"button": 4}
    assert rows(engine, lamps) == [{"lamp": "a", "presses": 4, "lit": 4, "dimmed": 0}]


def test_a_batch_behind_a_gap_is_not_applied(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    writer.process([presses(1, "1"), presses(3, "3")])
    assert writer.positions == {"button": 1}
    writer.process([presses(2, "2", "3")])
    assert lit(logged(writer)) == [("a", "1"), ("a", "2"), ("a", "3")]


def test_what_a_batch_will_read_is_read_at_once(engine: sa.Engine) -> None:
    writer = start(replace(lamp(), projection=Foreseeing), engine)
    writer.process([pressed(1, ("first", ""))])
    with statements(engine) as for_one:
        writer.process([pressed(2, ("a", ""))])
    with statements(engine) as for_many:
        writer.process([pressed(3, *((f"l{n}", "") for n in range(50)))])
    # Events are inserted many a statement, and those that are left over by another.
    assert len(for_one) <= len(for_many) <= len(for_one) + 1
    assert len(rows(engine, lamps)) == 52


def test_the_same_slice_object_twice_is_applied_once(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    part = presses(1, "1", "2")
    writer.process([part, part])
    assert lit(logged(writer)) == [("a", "1"), ("a", "2")]


def test_what_nobody_reacts_to_only_moves_the_position(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    writer.process([EventBatch("button", 1, 40, [])])
    writer.process([presses(41, "41")])
    assert writer.positions == {"button": 41}
    assert lit(logged(writer)) == [("a", "41")]


def test_a_second_writer_is_fenced_and_when_it_starts_again_believes_the_database(engine: sa.Engine) -> None:
    first, second = start(lamp(), engine), start(lamp(), engine)
    second.process([press_lamp("1", "b")])
    with pytest.raises(log.Fenced):
        first.process([presses(1, "1")])
    first.start()
    first.process([presses(1, "1"), press_lamp("2", "b")])
    with pytest.raises(log.Fenced):
        second.process([presses(1, "1")])
    second.start()
    assert replies(second, presses(1, "1", "2"), press_lamp("2", "b"))[0].repeated
    assert lit(logged(second)) == [("b", ""), ("a", "1"), ("b", ""), ("a", "2")]


def test_a_fenced_writer_forgets_the_states_it_held(engine: sa.Engine) -> None:
    first = start(button(), engine)
    first.process([press("1", "a")])
    start(button(), engine).process([press("2", "a"), press("3", "b")])
    with pytest.raises(log.Fenced):
        first.process([press("4", "b")])
    first.start()
    [reply] = replies(first, press("5", "a", note=REFUSING))
    assert reply.facts == {"presses": 2}
