"""The database fails in the middle of a commit: nothing is lost, nothing happens twice."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from shared.writer.inputs import DiscardParked
from tests.runtime.builders import (
    ManualClock,
    Outage,
    failing,
    failing_commit,
    lit,
    logged,
    parked,
    press,
    press_lamp,
    presses,
    replies,
    rows,
    start,
    tells,
)
from tests.runtime.toy import (
    POISON,
    button,
    lamp,
    lamps,
)

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
    clock = ManualClock()
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
    writer.process([DiscardParked("command/1")])
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
