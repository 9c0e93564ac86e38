"""Clocks that are off: deadlines count from the clock, and whose clock is far off decides nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from shared.eventstore import log, log_reader, schema
from shared.messages.messages import HALTED
from shared.runtime.clock import Clock, steady
from shared.runtime.ids import Ids
from shared.runtime.service import HostContext
from shared.runtime.settings import Settings
from shared.security.secrets import Secrets
from shared.writer.writer import Writer
from tests.runtime.builders import (
    START,
    ManualClock,
    logged,
    press,
    presses,
    replies,
    start,
)
from tests.runtime.toy import ToyDimmed, button, lamp

DAY = 86_400.0


def compared(engine: sa.Engine, clock: ManualClock, other: ManualClock, tolerance: float = 300) -> Writer:
    nowhere = Path("/nonexistent")
    settings = Settings(var=nowhere, clock_tolerance_seconds=tolerance)
    writer = Writer(
        button(), engine, HostContext(settings, Clock(clock, reference=other), Ids(clock), Secrets(nowhere))
    )
    writer.start()
    return writer


def moments(writer: Writer) -> list[datetime]:
    return [recorded.at for recorded in log_reader.read_all(writer.engine, writer.service.name)]


def test_a_writer_whose_clock_leaps_decides_nothing_until_it_is_set_right(engine: sa.Engine) -> None:
    clock, other = ManualClock(), ManualClock()
    writer = compared(engine, clock, other)
    assert [one.outcome for one in replies(writer, press("1"))] == ["accepted"]

    clock.advance(DAY)
    (ahead,) = replies(writer, press("2"))
    clock.advance(-2 * DAY)
    (behind,) = replies(writer, press("2"))
    clock.advance(DAY)
    (right,) = replies(writer, press("2"))

    assert (ahead.code, behind.code, right.outcome) == (HALTED, HALTED, "accepted")
    assert "86400 s ahead" in ahead.detail
    assert "86400 s behind" in behind.detail
    assert moments(writer) == [START, START]


def test_a_clock_that_is_off_by_less_is_believed(engine: sa.Engine) -> None:
    clock = ManualClock()
    writer = compared(engine, clock, ManualClock(START + timedelta(seconds=300)))

    assert [one.outcome for one in replies(writer, press("1"))] == ["accepted"]
    assert [
        one.code for one in replies(compared(engine, clock, ManualClock(START + timedelta(seconds=301))), press("2"))
    ] == [HALTED]


def test_after_a_clock_that_was_ahead_nothing_is_decided_unless_a_person_says_so(engine: sa.Engine) -> None:
    start(button(), engine, ManualClock(START + timedelta(days=1))).process([press("1")])
    clock = ManualClock()

    (refused,) = replies(start(button(), engine, clock), press("2"))
    writer = compared(engine, clock, clock, tolerance=2 * DAY)
    (accepted,) = replies(writer, press("2"))

    assert (refused.code, accepted.outcome) == (HALTED, "accepted")
    assert "behind the last event" in refused.detail
    assert moments(writer) == [START + timedelta(days=1)] * 2  # times never fall along a log


def test_a_deadline_counts_from_the_clock_and_not_from_the_last_event(engine: sa.Engine) -> None:
    """The last event is four minutes ahead: the lamp goes out after its minute all the same."""
    start(lamp(), engine, ManualClock(START + timedelta(seconds=240))).process([presses(1, "early", button="x")])
    clock = ManualClock()
    writer = start(lamp(), engine, clock)
    writer.process([presses(2, "later", button="b")])

    clock.advance(59)
    writer.process([])
    before = [event for event in logged(writer) if isinstance(event, ToyDimmed)]
    clock.advance(2)
    writer.process([])

    assert before == []
    assert [event.lamp for event in logged(writer) if isinstance(event, ToyDimmed)] == ["b"]


def test_what_is_planned_is_due_by_the_clock(engine: sa.Engine) -> None:
    start(lamp(), engine, ManualClock(START + timedelta(seconds=240))).process([presses(1, "early", button="x")])
    writer = start(lamp(), engine, ManualClock())

    writer.process([presses(2, "later", button="b")])

    with engine.connect() as connection:
        due = connection.execute(sa.select(schema.agenda.c.due_at).where(schema.agenda.c.kind == "command")).scalars()
        assert list(due) == [log.to_text(START + timedelta(seconds=60))]


def test_a_steady_clock_goes_on() -> None:
    clock = steady()

    first, second = clock(), clock()

    assert first <= second
    assert abs(first - datetime.now(first.tzinfo)) < timedelta(hours=1)
