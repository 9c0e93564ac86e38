"""Slices that hold nothing for a service cost it no commit, and are not forgotten either."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from shared.eventstore import schema
from shared.messages.messages import EventBatch
from shared.writer import state
from shared.writer.writer import Writer
from tests.runtime.builders import (
    ManualClock,
    logged,
    parked,
    presses,
    recorded,
    rows,
    start,
    statements,
)
from tests.runtime.toy import ToyDimmed, ToyLit, lamp


def nothing(first: int, last: int) -> EventBatch:
    """A stretch of the button's log that the lamp has no use for."""
    events = [recorded(position, ToyDimmed(lamp="x")) for position in range(first, last + 1)]
    return EventBatch("button", first, last, events)


def stored(engine: sa.Engine) -> int:
    return rows(engine, schema.readers)[0]["position"]


def lit(writer: Writer) -> list[str]:
    return [event.note for event in logged(writer) if isinstance(event, ToyLit)]


def test_a_slice_without_use_is_applied_without_a_word_to_the_database(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)

    with statements(engine) as seen:
        writer.process([nothing(1, 3), nothing(4, 4)])

    assert seen == []
    assert (writer.positions["button"], stored(engine), writer.is_ahead) == (4, 0, True)


def test_what_was_passed_over_is_stored_with_the_next_commit(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    writer.process([nothing(1, 3)])

    writer.process([presses(4, "four")])

    assert (lit(writer), stored(engine), writer.is_ahead) == (["four"], 4, False)


def test_it_is_stored_by_an_empty_turn(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    writer.process([nothing(1, 3)])

    writer.process([])

    assert (stored(engine), writer.is_ahead) == (3, False)


def test_it_is_stored_now_and_then(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "MOST_PASSED", 2)
    writer = start(lamp(), engine)

    for position in range(1, 4):
        writer.process([nothing(position, position)])

    assert (stored(engine), writer.is_ahead) == (3, False)


def test_after_a_crash_it_comes_again_and_nothing_else_is_lost_or_repeated(engine: sa.Engine) -> None:
    first = start(lamp(), engine)
    first.process([presses(1, "one")])
    first.process([nothing(2, 5)])

    second = start(lamp(), engine)
    assert second.positions["button"] == 1
    second.process([presses(6, "six")])
    assert second.positions["button"] == 1
    second.process([nothing(2, 5), presses(6, "six")])

    assert (lit(second), stored(engine)) == (["one", "six"], 6)


def test_a_gap_is_not_passed_over(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)

    writer.process([nothing(3, 4)])

    assert writer.positions["button"] == 0


def test_poison_behind_it_is_parked_all_the_same(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    writer.process([nothing(1, 2)])

    writer.process([presses(3, "reaction-poison"), presses(4, "four", button="b")])

    assert (parked(writer), lit(writer), stored(engine)) == (["button/3/0"], ["four"], 4)


def test_what_is_due_is_not_held_up_by_it(engine: sa.Engine) -> None:
    clock = ManualClock()
    writer = start(lamp(), engine, clock)
    writer.process([presses(1, "later")])
    clock.now += timedelta(seconds=61)

    writer.process([nothing(2, 2)])

    assert [type(event) for event in logged(writer)] == [ToyLit, ToyDimmed]
