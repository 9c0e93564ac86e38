"""Group commit: what a writer answers, writes and refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from shared.contracts import Command, Event
from shared.eventlog import log, schema
from shared.eventlog.tables import Key, Rows
from shared.hosting.work import Discard, Replay
from shared.messaging.port import CommandMessage, Slice
from tests.hosting.builders import (
    Clock,
    Outage,
    failing,
    failing_commit,
    logged,
    parked,
    press,
    pressed,
    presses,
    replies,
    rows,
    send,
    start,
    statements,
    tells,
)
from tests.hosting.toy import (
    POISON,
    REFUSING,
    LampTables,
    ToyCount,
    ToyCounted,
    ToyDim,
    ToyLight,
    ToyLit,
    ToyPressed,
    button,
    lamp,
    lamps,
)


def lit(events: list[Event]) -> list[tuple[str, str]]:
    return [(one.lamp, one.note) for one in events if isinstance(one, ToyLit)]


# Commands


def test_a_hundred_commands_are_one_transaction_and_no_more_statements_than_one(engine: sa.Engine) -> None:
    commits: list[int] = []
    writer = start(button(), engine)
    writer.process([press("first", "a")])
    event.listen(engine, "commit", lambda connection: commits.append(1))

    with statements(engine) as for_one:
        writer.process([press("one", "b0")])
    with statements(engine) as for_many:
        writer.process([press(f"many-{n}", f"b{n}") for n in range(1, 101)])

    assert len(commits) == 2
    assert len(for_many) == len(for_one)
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
    [again] = replies(writer, press("1", device="desk"))
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
    clock = Clock()
    writer = start(button(), engine, clock)
    writer.process([press("1")])
    clock.advance(-3600)
    writer.process([press("2")])
    start(button(), engine, clock).process([press("3")])
    times = [recorded.at for recorded in log.read_all(engine, "button")]
    assert times == sorted(times)


# Slices


def test_slices_twice_are_dropped_and_overlaps_applied_in_part(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    writer.process([presses(1, "1", "2"), presses(1, "1", "2")])
    writer.process([presses(2, "2", "3"), presses(1, "1"), presses(3, "3", "4")])
    assert lit(logged(writer)) == [("a", "1"), ("a", "2"), ("a", "3"), ("a", "4")]
    assert writer.positions == {"button": 4}
    assert rows(engine, lamps) == [{"lamp": "a", "presses": 4, "lit": 4, "dimmed": 0}]


def test_a_slice_too_far_ahead_is_left_and_reported(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    outcome = writer.process([presses(1, "1"), presses(3, "3")])
    assert (outcome.gaps, writer.positions) == ({"button"}, {"button": 1})
    writer.process([presses(2, "2", "3")])
    assert lit(logged(writer)) == [("a", "1"), ("a", "2"), ("a", "3")]


def test_what_a_batch_will_read_is_read_at_once(engine: sa.Engine) -> None:
    writer = start(replace(lamp(), tables=Foreseeing), engine)
    writer.process([pressed(1, ("first", ""))])
    with statements(engine) as for_one:
        writer.process([pressed(2, ("a", ""))])
    with statements(engine) as for_many:
        writer.process([pressed(3, *((f"l{n}", "") for n in range(50)))])
    assert len(for_many) == len(for_one)
    assert len(rows(engine, lamps)) == 52


def test_the_same_slice_object_twice_is_applied_once(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    part = presses(1, "1", "2")
    writer.process([part, part])
    assert lit(logged(writer)) == [("a", "1"), ("a", "2")]


def test_what_nobody_reacts_to_only_moves_the_position(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    writer.process([Slice("button", 1, 40, [])])
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


class Foreseeing(LampTables):
    """Says what it will read, and fails where a note asks for it."""

    def reads(self, asked: Event | Command, state: Any = None) -> Iterator[tuple[Rows, Key]]:
        match asked:
            case ToyPressed(note="unreadable event") | ToyLight(note="unreadable command"):
                raise ZeroDivisionError(asked.note)
            case ToyPressed(button=name):
                yield self.lamps, (name,)
            case _:
                pass


def press_lamp(id_: str, name: str, note: str = "") -> CommandMessage:
    return send(id_, ToyLight(lamp=name, press="by hand", note=note))


# Poison


def test_a_poison_command_is_parked_and_the_others_of_its_batch_commit(engine: sa.Engine) -> None:
    writer = start(button(), engine)
    got = replies(writer, press("1", "a"), press("2", "b", note=POISON), press("3", "b"), press("4", "c"))
    assert [(reply.outcome, reply.code) for reply in got] == [
        ("accepted", ""),
        ("failed", "internal-error"),
        ("failed", "held-back"),
        ("accepted", ""),
    ]
    assert parked(writer) == ["command/2"]
    assert [one.partition_key() for one in logged(writer)] == ["a", "c"]
    [row] = rows(engine, schema.parked)
    assert row["error"].startswith("ZeroDivisionError at ")
    assert "toy.py:" in row["error"]


def test_a_poison_event_holds_back_only_its_own_key_and_replay_keeps_the_order(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    writer.process([pressed(1, ("a", "reaction-poison"), ("b", "1"), ("a", "2"))])
    writer.process([pressed(4, ("a", "3"), ("b", "4"))])
    assert lit(logged(writer)) == [("b", "1"), ("b", "4")]
    assert parked(writer) == ["button/1/0", "button/3/0", "button/4/0"]
    assert writer.positions == {"button": 5}

    writer = start(lamp(), engine)
    writer.process([Replay("button/3/0")])
    assert parked(writer) == ["button/1/0", "button/3/0", "button/4/0"]
    writer.process([Replay("button/1/0")])
    assert parked(writer) == ["button/1/0", "button/3/0", "button/4/0"]

    writer.process([Discard("button/3/0"), Discard("button/1/0")])
    assert parked(writer) == ["button/3/0", "button/4/0"]
    writer.process([Replay("button/3/0"), Replay("button/4/0"), Replay("button/3/0")])
    assert parked(writer) == []
    assert writer.parked.count() == 0
    assert lit(logged(writer)) == [("b", "1"), ("b", "4"), ("a", "2"), ("a", "3")]
    assert [row["presses"] for row in rows(engine, lamps)] == [2, 2]


def test_an_event_of_an_unknown_version_is_parked_and_read_after_an_update(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    part = presses(1, "1", "2")
    part.events[0].type = "ToyPressed.v9"
    writer.process([Slice("button", 1, 2, [replace(one, _event=None) for one in part.events])])
    assert parked(writer) == ["button/1/0", "button/2/0"]
    assert writer.positions == {"button": 2}


def test_a_poison_reaction_command_is_parked_under_its_own_stream(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    writer.process([pressed(1, ("a", "lamp-poison"), ("b", "1"), ("a", "2"))])
    assert parked(writer) == ["button/1/1", "button/3/1"]
    assert lit(logged(writer)) == [("b", "1")]
    assert [row["presses"] for row in rows(engine, lamps)] == [2, 1]


def test_an_own_reaction_that_fails_fails_the_whole(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    got = replies(writer, press_lamp("1", "a", "count-room-poison"), press_lamp("2", "b", "count"))
    assert [reply.outcome for reply in got] == ["failed", "accepted"]
    assert parked(writer) == ["command/1"]
    assert [type(one) for one in logged(writer)] == [ToyLit, ToyCounted]


def test_an_own_reaction_waits_behind_a_parked_message_of_its_stream(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    writer.process([send("1", ToyCount(room="all", press="room-poison"))])
    [reply] = replies(writer, press_lamp("2", "a", "count"))
    assert reply.outcome == "accepted"
    assert parked(writer) == ["command/1", "lamp/1/1"]
    writer.process([Discard("command/1"), Replay("lamp/1/1")])
    assert parked(writer) == []
    lit_event, counted = log.read_all(engine, "lamp")
    assert isinstance(counted.event, ToyCounted)
    assert counted.meta.causation_id == lit_event.id


def test_a_replayed_command_answers_its_sender_at_last(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = start(button(), engine)
    writer.process([press("1", note=POISON)])
    monkeypatch.setattr("tests.hosting.toy.POISON", "healed")
    writer.process([Replay("command/1")])
    [reply] = replies(writer, press("1", note=POISON))
    assert (reply.outcome, reply.repeated, parked(writer)) == ("accepted", True, [])


def test_a_replayed_command_that_the_rules_refuse_leaves(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = start(button(), engine)
    writer.process([press("1", note=POISON)])
    monkeypatch.setattr("tests.hosting.toy.REFUSING", POISON)
    writer.process([Replay("command/1")])
    [reply] = replies(writer, press("1", note=POISON))
    assert (reply.outcome, parked(writer)) == ("refused", [])


def test_what_cannot_be_foreseen_is_parked_alone(engine: sa.Engine) -> None:
    writer = start(replace(lamp(), tables=Foreseeing), engine)
    got = replies(
        writer,
        pressed(1, ("a", "unreadable event"), ("b", "unreadable command"), ("c", "")),
        press_lamp("1", "d", "unreadable command"),
        press_lamp("2", "e"),
    )
    assert parked(writer) == ["button/1/0", "button/2/1", "command/1"]
    assert [reply.code for reply in got] == ["internal-error", ""]
    assert lit(logged(writer)) == [("c", ""), ("e", "")]


@pytest.mark.parametrize("guilty", [0, 3, 7])
def test_what_the_database_refuses_is_found_by_halves(engine: sa.Engine, guilty: int) -> None:
    writer = start(lamp(), engine)
    pairs = [(f"l{n}", "unwritable" if n == guilty else str(n)) for n in range(8)]
    outcome = writer.process([press_lamp("first", "x"), pressed(1, *pairs), press_lamp("last", "y")])
    assert parked(writer) == [f"button/{guilty + 1}/0"]
    assert [reply.outcome for _, reply in outcome.replies] == ["accepted", "accepted"]
    assert len(lit(logged(writer))) == 9
    assert writer.positions == {"button": 8}
    assert outcome.published is not None
    assert [one.position for one in outcome.published.events] == list(range(1, 10))


def test_a_command_that_the_database_refuses_is_parked_alone(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    got = replies(writer, press_lamp("1", "a", "unwritable"), press_lamp("2", "a"), press_lamp("3", "b"))
    assert [reply.code for reply in got] == ["internal-error", "held-back", ""]
    assert parked(writer) == ["command/1"]


# The database fails


STEPS = ["UPDATE readers", "INSERT INTO commands", "INSERT INTO lamps", "INSERT INTO log", "UPDATE head", "FROM log"]


@pytest.mark.parametrize("step", [*STEPS, "commit"])
def test_an_outage_at_any_step_changes_nothing_and_the_same_work_is_taken_later(engine: sa.Engine, step: str) -> None:
    writer = start(lamp(), engine)
    works = [presses(1, "1", "call"), press_lamp("1", "b", "later")]
    broken = failing_commit(engine, committed=False) if step == "commit" else failing(engine, step)
    with broken:
        for _ in range(2):
            with pytest.raises(Outage):
                writer.process(works)
    assert logged(writer) == []
    outcome = writer.process(works)
    assert lit(logged(writer)) == [("a", "1"), ("a", "call"), ("b", "later")]
    assert [call.attempt for call in outcome.calls] == [1]
    assert (parked(writer), writer.positions) == ([], {"button": 2})


def test_an_outage_parks_nothing_even_amid_a_decision(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    with failing(engine, "FROM lamps"), pytest.raises(Outage):
        writer.process([press_lamp("1", "a")])
    assert parked(writer) == []
    assert tells(replies(writer, press_lamp("1", "a"))[0]) == ("accepted", {})


def test_a_commit_whose_acknowledgement_was_lost_happens_once(engine: sa.Engine) -> None:
    clock = Clock()
    writer = start(lamp(), engine, clock)
    works = [presses(1, "1", "later"), press_lamp("1", "b", "later")]
    with failing_commit(engine, committed=True), pytest.raises(Outage):
        writer.process(works)
    [reply] = replies(writer, *works)
    assert (reply.outcome, reply.repeated) == ("accepted", True)
    assert lit(logged(writer)) == [("a", "1"), ("a", "later"), ("b", "later")]
    clock.advance(60)
    writer.process([])
    assert [row["dimmed"] for row in rows(engine, lamps)] == [1, 1]


def test_an_outage_while_parking_leaves_no_key_held_back(engine: sa.Engine) -> None:
    writer = start(button(), engine)
    with failing(engine, "INSERT INTO parked"), pytest.raises(Outage):
        writer.process([press("1", note=POISON)])
    assert tells(replies(writer, press("2"))[0]) == ("accepted", {"presses": 1})
    writer.process([press("1", note=POISON)])
    writer.process([Discard("command/1")])
    assert writer.parked.count() == 0


@pytest.mark.parametrize("step", [*STEPS, "commit", "lost acknowledgement"])
def test_reactions_happen_once_across_a_crash_at_any_step(engine: sa.Engine, step: str) -> None:
    crashing = {"commit": False, "lost acknowledgement": True}
    broken = failing_commit(engine, committed=crashing[step]) if step in crashing else failing(engine, step)
    writer = start(lamp(), engine)
    with broken, pytest.raises(Outage):
        writer.process([presses(1, "1", "2"), press_lamp("1", "b")])
    writer = start(lamp(), engine)
    writer.process([presses(1, "1", "2", "3"), press_lamp("1", "b")])
    assert sorted(lit(logged(writer))) == [("a", "1"), ("a", "2"), ("a", "3"), ("b", "")]
    assert [row["lit"] for row in rows(engine, lamps)] == [3, 1]
