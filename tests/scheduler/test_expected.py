"""The agenda compared with the log, and what it lacks planned anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from shared.eventstore import log, schema
from shared.runtime.consumer_loop import make_call
from shared.scheduler import expected
from shared.writer import unit_of_work
from shared.writer.inputs import DiscardParked, Input
from tests.runtime.builders import (
    START,
    ManualClock,
    logged,
    parked,
    pressed,
    presses,
    rows,
    start,
)
from tests.runtime.toy import UNCHANGED, Adapters, lamp
from tests.writer.test_effects import call_results, dimmed


def amiss(engine: sa.Engine, now: datetime = START) -> list[str]:
    with engine.connect() as connection:
        return sorted(expected.amiss(connection, "lamp", lamp().plans, now).keys)


def plan_anew(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        expected.plan_anew(connection, expected.amiss(connection, "lamp", lamp().plans, START))


def test_nothing_is_amiss_while_items_wait_end_are_replaced_and_cancelled(engine: sa.Engine) -> None:
    clock, adapters = ManualClock(), Adapters(failures=1)
    writer = start(lamp(adapters), engine, clock)
    works: list[Input] = [pressed(1, ("a", "later"), ("b", "later"), ("c", "later"), ("d", "call"))]
    for turn in range(5):
        outcome = writer.process(works)
        works = [make_call(writer, call) for call in outcome.calls]
        assert amiss(engine) == []
        if turn == 0:
            works.append(pressed(5, ("a", "later"), ("b", "cancel")))
        clock.advance(30)
    assert (dimmed(logged(writer)), call_results(logged(writer))) == (["c", "a"], [True])


def test_what_was_deleted_is_named_and_planned_anew(engine: sa.Engine) -> None:
    clock, adapters = ManualClock(), Adapters()
    writer = start(lamp(adapters), engine, clock)
    writer.process([pressed(1, ("a", "later"), ("b", "call"), ("c", "cancel"))])
    with engine.begin() as connection:
        connection.execute(sa.delete(schema.agenda))

    assert amiss(engine) == ["dim/a", "tell/b"]
    plan_anew(engine)

    assert amiss(engine) == []
    writer = start(lamp(adapters), engine, clock)
    clock.advance(60)
    writer.process([make_call(writer, call) for call in writer.process([]).calls])
    assert (dimmed(logged(writer)), call_results(logged(writer))) == (["a"], [True])
    assert adapters.calls == [2]  # it may have been made before: it is looked up


@pytest.mark.parametrize(
    "spoilt",
    [
        {"payload": "{"},
        {"payload": '{"lamp": "z"}'},
        {"name": "ToyLight.v1"},
        {"kind": "effect"},
        {"token": "another"},
        {"due_at": "9999-01-01T00:00:00.000000+00:00"},
        {"due_at": "2026-01-01T20:00:00.000000+00:00", "attempts": 1},
        {"leased_until": "2036-01-01T00:00:00.000000+00:00"},
        {"state": "paused"},
        {"state": "failed"},
        {"due_at": "soon"},
    ],
    ids=str,
)
def test_what_was_changed_is_named_and_planned_anew(engine: sa.Engine, spoilt: dict[str, str]) -> None:
    writer = start(lamp(), engine, ManualClock())
    writer.process([presses(1, "later")])
    sound = rows(engine, schema.agenda)
    with engine.begin() as connection:
        connection.execute(sa.update(schema.agenda).values(**spoilt))

    assert amiss(engine) == ["dim/a"]
    plan_anew(engine)

    assert rows(engine, schema.agenda) == sound


def test_what_ended_without_an_event_or_waits_for_a_person_is_not_amiss(engine: sa.Engine) -> None:
    writer = start(lamp(), engine, ManualClock())
    writer.process([pressed(1, (UNCHANGED, "at-once"))])
    writer.process([])
    assert (rows(engine, schema.agenda), dimmed(logged(writer)), amiss(engine)) == ([], [], [])

    writer.process([pressed(2, ("undimmable", "at-once"))])
    writer.process([])
    (id_,) = parked(writer)
    assert amiss(engine) == []
    writer.process([DiscardParked(id_)])
    assert (parked(writer), amiss(engine)) == ([], [])


def test_what_nothing_planned_is_named_and_taken_off(engine: sa.Engine) -> None:
    clock, adapters = ManualClock(), Adapters()
    writer = start(lamp(adapters), engine, clock)
    writer.process([pressed(1, ("a", "later"), ("b", "call"))])
    (timer, _call) = sound = rows(engine, schema.agenda)
    planted = {**timer, "key": "tell/z", "kind": "effect", "name": "tell", "payload": '{"lamp": "z"}'}
    with engine.begin() as connection:
        connection.execute(sa.insert(schema.agenda).values(planted))
        connection.execute(sa.insert(schema.agenda).values({**planted, "key": "tell/y", "token": "of nobody"}))

    assert amiss(engine) == ["tell/y", "tell/z"]
    plan_anew(engine)

    assert rows(engine, schema.agenda) == sound


def test_what_was_given_up_stays_in_sight_and_does_not_wait_again(engine: sa.Engine) -> None:
    clock, adapters = ManualClock(), Adapters(failures=9)
    writer = start(lamp(adapters, attempts=1), engine, clock)
    calls = writer.process([presses(1, "call")]).calls
    writer.process([make_call(writer, call) for call in calls])
    assert ([row["state"] for row in rows(engine, schema.agenda)], amiss(engine)) == (["failed"], [])

    with engine.begin() as connection:
        connection.execute(sa.update(schema.agenda).values(state="waiting"))

    assert amiss(engine) == ["tell/a"]


def test_a_call_that_was_tried_is_put_off_by_hours_at_most(engine: sa.Engine) -> None:
    clock, adapters = ManualClock(), Adapters(failures=9)
    writer = start(lamp(adapters), engine, clock)
    calls = writer.process([presses(1, "call")]).calls
    writer.process([make_call(writer, call) for call in calls])
    day = timedelta(days=1)
    with engine.begin() as connection:
        connection.execute(sa.update(schema.agenda).values(due_at=log.to_text(START + day)))

    assert amiss(engine) == ["tell/a"]
    assert amiss(engine, START + day) == []


def test_what_was_given_up_without_an_event_is_not_amiss(engine: sa.Engine) -> None:
    writer = start(lamp(Adapters(failures=9), attempts=1), engine, ManualClock())
    calls = writer.process([pressed(1, (UNCHANGED, "call"), ("a", "at-once"))]).calls
    with engine.begin() as connection:
        unread = sa.update(schema.agenda).where(schema.agenda.c.kind == "command").values(name="ToyGone.v1")
        connection.execute(unread)
    writer = start(lamp(Adapters(failures=9), attempts=1), engine, ManualClock())
    writer.process([make_call(writer, call) for call in calls])
    assert [row["state"] for row in rows(engine, schema.agenda)] == ["failed", "failed"]

    assert amiss(engine) == ["dim/a"]  # of another command than was planned
    with engine.begin() as connection:
        connection.execute(sa.update(schema.agenda).where(schema.agenda.c.kind == "command").values(name="ToyDim.v1"))
    assert amiss(engine) == []


def test_what_is_due_at_the_end_of_time_is_not_amiss(engine: sa.Engine) -> None:
    start(lamp(), engine, ManualClock(datetime.max.replace(tzinfo=UTC) - timedelta(minutes=2))).process(
        [presses(1, "later")]
    )

    assert amiss(engine) == []


def test_of_what_an_older_version_planned_nothing_is_said_whenever_it_led(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names no events, and begins epochs without saying so."""
    clock, adapters = ManualClock(), Adapters()

    def lead(older: bool, first: int, *notes: str) -> None:
        with monkeypatch.context() as patch:
            if older:
                patch.setattr(unit_of_work, "token_of", lambda event_id, index: f"of-its-own-{event_id}-{index}")
                patch.setattr(log, "next_epoch", _next_epoch_of_before)
                patch.setattr(expected, "begin", lambda connection: None)
            writer = start(lamp(adapters), engine, clock)
            works = [make_call(writer, call) for call in writer.process([presses(first, *notes)]).calls]
            writer.process(works)

    for older, first in ((True, 1), (False, 3), (True, 5), (False, 7)):
        lead(older, first, "call", "cancel")
        assert (older, amiss(engine)) == (older, [])
    lead(False, 9, "later")
    with engine.begin() as connection:
        connection.execute(sa.delete(schema.agenda))

    assert amiss(engine) == ["dim/a"]
    assert adapters.calls == [1, 1, 1, 1]


def _next_epoch_of_before(connection: sa.Connection) -> int:
    c = schema.head.c
    return connection.execute(sa.update(schema.head).values(epoch=c.epoch + 1).returning(c.epoch)).scalar_one()
