"""What can't be handled is parked, holds back its own key only, and is tried again when told."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from shared.eventstore import log_reader, schema
from shared.messages.messages import EventBatch
from shared.writer.inputs import DiscardParked, ReplayParked
from tests.runtime.builders import (
    lit,
    logged,
    parked,
    press,
    press_lamp,
    pressed,
    presses,
    replies,
    rows,
    send,
    start,
)
from tests.runtime.toy import (
    POISON,
    Foreseeing,
    ToyCount,
    ToyCounted,
    ToyLit,
    button,
    lamp,
    lamps,
)


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
    writer.process([ReplayParked("button/3/0")])
    assert parked(writer) == ["button/1/0", "button/3/0", "button/4/0"]
    writer.process([ReplayParked("button/1/0")])
    assert parked(writer) == ["button/1/0", "button/3/0", "button/4/0"]

    writer.process([DiscardParked("button/3/0"), DiscardParked("button/1/0")])
    assert parked(writer) == ["button/3/0", "button/4/0"]
    writer.process([ReplayParked("button/3/0"), ReplayParked("button/4/0"), ReplayParked("button/3/0")])
    assert parked(writer) == []
    assert writer.parked.count() == 0
    assert lit(logged(writer)) == [("b", "1"), ("b", "4"), ("a", "2"), ("a", "3")]
    assert [row["presses"] for row in rows(engine, lamps)] == [2, 2]


def test_an_event_of_an_unknown_version_is_parked_and_read_after_an_update(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    part = presses(1, "1", "2")
    part.events[0].type = "ToyPressed.v9"
    writer.process([EventBatch("button", 1, 2, [replace(one, _event=None) for one in part.events])])
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
    writer.process([DiscardParked("command/1"), ReplayParked("lamp/1/1")])
    assert parked(writer) == []
    lit_event, counted = log_reader.read_all(engine, "lamp")
    assert isinstance(counted.event, ToyCounted)
    assert counted.meta.causation_id == lit_event.id


def test_a_replayed_command_answers_its_sender_at_last(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = start(button(), engine)
    writer.process([press("1", note=POISON)])
    monkeypatch.setattr("tests.runtime.toy.POISON", "healed")
    writer.process([ReplayParked("command/1")])
    [reply] = replies(writer, press("1", note=POISON))
    assert (reply.outcome, reply.repeated, parked(writer)) == ("accepted", True, [])


def test_a_replayed_command_that_the_rules_refuse_leaves(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = start(button(), engine)
    writer.process([press("1", note=POISON)])
    monkeypatch.setattr("tests.runtime.toy.REFUSING", POISON)
    writer.process([ReplayParked("command/1")])
    [reply] = replies(writer, press("1", note=POISON))
    assert (reply.outcome, parked(writer)) == ("refused", [])


def test_what_cannot_be_foreseen_is_parked_alone(engine: sa.Engine) -> None:
    writer = start(replace(lamp(), projection=Foreseeing), engine)
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
