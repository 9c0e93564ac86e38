"""The agenda compared with the log, and what it lacks planned anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from shared.eventlog import checkpoints, planned, schema
from shared.hosting.runner import make_call
from shared.hosting.work import Discard, Work
from tests.hosting.builders import Clock, logged, parked, pressed, presses, rows, start
from tests.hosting.test_effects import dimmed, told
from tests.hosting.toy import Outside, lamp


def amiss(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        return sorted(one.key for one in planned.amiss(connection, "lamp", lamp().plans))


def test_nothing_is_amiss_while_items_wait_end_are_replaced_and_cancelled(engine: sa.Engine) -> None:
    clock, outside = Clock(), Outside(failures=1)
    writer = start(lamp(outside), engine, clock)
    works: list[Work] = [pressed(1, ("a", "later"), ("b", "later"), ("c", "later"), ("d", "call"))]
    for turn in range(5):
        outcome = writer.process(works)
        works = [make_call(writer, call) for call in outcome.calls]
        assert amiss(engine) == []
        if turn == 0:
            works.append(pressed(5, ("a", "later"), ("b", "cancel")))
        clock.advance(30)
    assert (dimmed(logged(writer)), told(logged(writer))) == (["c", "a"], [True])


def test_what_was_deleted_is_named_and_planned_anew(engine: sa.Engine) -> None:
    clock, outside = Clock(), Outside()
    writer = start(lamp(outside), engine, clock)
    writer.process([pressed(1, ("a", "later"), ("b", "call"), ("c", "cancel"))])
    with engine.begin() as connection:
        connection.execute(sa.delete(schema.agenda))

    assert amiss(engine) == ["dim/a", "tell/b"]
    with engine.begin() as connection:
        planned.plan_anew(connection, planned.amiss(connection, "lamp", lamp().plans))

    assert amiss(engine) == []
    writer = start(lamp(outside), engine, clock)
    clock.advance(60)
    writer.process([make_call(writer, call) for call in writer.process([]).calls])
    assert (dimmed(logged(writer)), told(logged(writer))) == (["a"], [True])
    assert outside.calls == [2]  # it may have been made before: it is looked up


@pytest.mark.parametrize(
    "spoilt",
    [
        {"payload": "{"},
        {"payload": '{"lamp": "z"}'},
        {"name": "ToyLight.v1"},
        {"kind": "effect"},
        {"token": "another"},
        {"due_at": "9999-01-01T00:00:00.000000+00:00"},
        {"due_at": "2026-01-03"},
        {"due_at": "soon"},
    ],
    ids=str,
)
def test_what_was_changed_is_named_and_planned_anew(engine: sa.Engine, spoilt: dict[str, str]) -> None:
    writer = start(lamp(), engine, Clock())
    writer.process([presses(1, "later")])
    sound = rows(engine, schema.agenda)
    with engine.begin() as connection:
        connection.execute(sa.update(schema.agenda).values(**spoilt))

    assert amiss(engine) == ["dim/a"]
    with engine.begin() as connection:
        planned.plan_anew(connection, planned.amiss(connection, "lamp", lamp().plans))

    assert rows(engine, schema.agenda) == sound


def test_what_ended_without_an_event_or_waits_for_a_person_is_not_amiss(engine: sa.Engine) -> None:
    writer = start(lamp(), engine, Clock())
    writer.process([pressed(1, ("unchanged", "at-once"))])
    writer.process([])
    assert (rows(engine, schema.agenda), dimmed(logged(writer)), amiss(engine)) == ([], [], [])

    writer.process([pressed(2, ("undimmable", "at-once"))])
    writer.process([])
    (id_,) = parked(writer)
    assert amiss(engine) == []
    writer.process([Discard(id_)])
    assert (parked(writer), amiss(engine)) == ([], [])


def test_what_is_due_at_the_end_of_time_is_not_amiss(engine: sa.Engine) -> None:
    start(lamp(), engine, Clock(datetime.max.replace(tzinfo=UTC) - timedelta(minutes=2))).process([presses(1, "later")])

    assert amiss(engine) == []


def test_of_what_an_older_version_planned_nothing_is_said(engine: sa.Engine) -> None:
    writer = start(lamp(), engine, Clock())
    writer.process([presses(1, "later")])
    with engine.begin() as connection:
        connection.execute(sa.delete(schema.agenda))
        connection.execute(sa.delete(schema.checkpoints).where(schema.checkpoints.c.name == planned.SINCE))
    assert amiss(engine) == []

    start(lamp(), engine, Clock())

    assert amiss(engine) == []
    with engine.connect() as connection:
        assert checkpoints.stored(connection, planned.SINCE) == 1
