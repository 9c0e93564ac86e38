"""The agenda at work in a writer: commands to oneself, and calls to the outside world."""

from __future__ import annotations

from datetime import datetime

import pytest
import sqlalchemy as sa

from shared.contracts import Event, Plan, ScheduleCommand
from shared.eventstore import log_reader, schema
from shared.runtime.consumer_loop import make_call
from shared.scheduler.scheduler import DueCall
from shared.writer.inputs import (
    CallDone,
    CallFailed,
    CommitResult,
    DiscardParked,
    ReplayParked,
)
from shared.writer.writer import Writer
from tests.runtime.builders import (
    ManualClock,
    Outage,
    failing,
    failing_commit,
    logged,
    parked,
    pressed,
    presses,
    rows,
    send,
    start,
    statements,
)
from tests.runtime.toy import (
    Adapters,
    ToyCallEnded,
    ToyDim,
    ToyDimmed,
    ToyLight,
    ToyPress,
    ToyTell,
    lamp,
)


def call_results(events: list[Event]) -> list[bool]:
    return [event.succeeded for event in events if isinstance(event, ToyCallEnded)]


def dimmed(events: list[Event]) -> list[str]:
    return [event.lamp for event in events if isinstance(event, ToyDimmed)]


def run(writer: Writer, outcome: CommitResult) -> CommitResult:
    """Make the calls that came out of a batch, and process what they gave."""
    return writer.process([make_call(writer, call) for call in outcome.calls])


def light(id_: str, name: str, note: str) -> object:
    return send(id_, ToyLight(lamp=name, press="by hand", note=note))


# Commands to oneself


def test_a_later_command_is_done_once_when_due(engine: sa.Engine) -> None:
    clock = ManualClock()
    writer = start(lamp(), engine, clock)
    writer.process([presses(1, "later")])
    clock.advance(59)
    writer.process([])
    assert dimmed(logged(writer)) == []
    clock.advance(1)
    writer = start(lamp(), engine, clock)
    writer.process([])
    writer.process([])
    assert dimmed(logged(start(lamp(), engine, clock))) == ["a"]
    assert rows(engine, schema.agenda) == []


def test_a_later_item_takes_the_place_of_an_earlier_one_and_cancel_drops_it(engine: sa.Engine) -> None:
    clock = ManualClock()
    writer = start(lamp(), engine, clock)
    writer.process([pressed(1, ("a", "later"), ("b", "later"), ("c", "later"))])
    clock.advance(30)
    writer.process([pressed(4, ("a", "later"), ("b", "cancel"))])
    clock.advance(30)
    writer.process([])
    assert dimmed(logged(writer)) == ["c"]
    clock.advance(30)
    writer.process([])
    assert dimmed(logged(writer)) == ["c", "a"]


def test_a_command_planned_for_now_comes_with_the_next_batch(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    writer.process([presses(1, "at-once")])
    writer.process([])
    assert dimmed(logged(writer)) == ["a"]


def test_an_agenda_command_names_a_short_cause_that_readers_accept(engine: sa.Engine) -> None:
    clock = ManualClock()
    writer = start(lamp(), engine, clock)
    name = "l" * 80
    writer.process([pressed(1, (name, "later"), (name, "call"))])
    clock.advance(60)
    run(writer, writer.process([]))
    causes = [recorded.meta.causation_id for recorded in log_reader.read_all(engine, "lamp")]
    assert len(causes) == 3
    assert len(set(causes)) == 3


def test_the_guilty_due_command_is_parked_and_the_rest_goes_on(engine: sa.Engine) -> None:
    clock = ManualClock()
    writer = start(lamp(), engine, clock)
    writer.process([pressed(1, *((name, "later") for name in ("a", "b", "undimmable", "c", "d")))])
    clock.advance(60)
    writer.process([pressed(6, ("e", "1"))])
    assert sorted(dimmed(logged(writer))) == ["a", "b", "c", "d"]
    assert len(parked(writer)) == 1
    assert writer.positions == {"button": 6}


def test_an_empty_batch_survives_a_guilty_due_command(engine: sa.Engine) -> None:
    clock = ManualClock()
    writer = start(lamp(), engine, clock)
    writer.process([pressed(1, ("undimmable", "later"))])
    clock.advance(60)
    writer.process([])
    assert (len(parked(writer)), writer.parked.count()) == (1, 1)


def test_two_parked_firings_of_one_agenda_key_are_both_kept(engine: sa.Engine) -> None:
    clock = ManualClock()
    writer = start(lamp(), engine, clock)
    for first in (1, 2):
        writer.process([pressed(first, ("a", "dims undimmable"))])
        writer.process([])
    assert len(parked(writer)) == 2
    for id_ in parked(writer):
        writer.process([DiscardParked(id_)])
    assert (parked(writer), writer.parked.count()) == ([], 0)


def test_a_due_command_that_cannot_be_read_stays_as_failed(engine: sa.Engine) -> None:
    clock = ManualClock()
    writer = start(lamp(), engine, clock)
    writer.process([pressed(1, ("a", "later"), ("b", "later"))])
    with engine.begin() as connection:
        where = schema.agenda.c.key == "dim/a"
        connection.execute(sa.update(schema.agenda).where(where).values(name="ToyGone.v1"))
    clock.advance(60)
    writer = start(lamp(), engine, clock)
    writer.process([])
    writer.process([])
    assert dimmed(logged(writer)) == ["b"]
    [row] = rows(engine, schema.agenda)
    assert (row["state"], row["error"]) == ("failed", "UnknownMessage")


def test_due_commands_cost_no_statement_each(engine: sa.Engine) -> None:
    clock = ManualClock()
    writer = start(lamp(), engine, clock)
    writer.process([pressed(1, *((f"l{n}", "later") for n in range(100)))])
    clock.advance(60)
    with statements(engine) as seen:
        start(lamp(), engine, clock).process([])
    assert len(dimmed(logged(writer))) == 100
    of_lamps = [statement for statement in seen if "FROM lamps" in statement]
    assert len(seen) - len(of_lamps) < 40


# Calls


def test_a_call_is_made_after_the_commit_and_its_result_comes_back(engine: sa.Engine) -> None:
    adapters = Adapters()
    writer = start(lamp(adapters), engine)
    outcome = writer.process([presses(1, "call")])
    assert adapters.calls == []
    assert [(call.key, call.effect, call.attempt, call.payload) for call in outcome.calls] == [
        ("tell/a", "tell", 1, {"lamp": "a"})
    ]
    [row] = rows(engine, schema.agenda)
    assert (row["attempts"], row["leased_until"]) == (1, "2026-01-01T08:02:00.000000+00:00")
    run(writer, outcome)
    assert (adapters.calls, call_results(logged(writer)), rows(engine, schema.agenda)) == ([1], [True], [])


def test_a_rolled_back_call_is_not_made_and_not_counted(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    with failing(engine, "UPDATE head"), pytest.raises(Outage):
        writer.process([presses(1, "call")])
    [call] = writer.process([presses(1, "call")]).calls
    assert call.attempt == 1


def test_after_a_crash_a_leased_call_comes_back_as_the_next_attempt(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    writer.process([presses(1, "call")])
    writer = start(lamp(), engine)
    outcome = writer.process([])
    assert [call.attempt for call in outcome.calls] == [2]
    run(writer, outcome)
    assert call_results(logged(writer)) == [True]
    assert start(lamp(), engine).process([]).calls == []


def test_a_call_whose_lease_was_not_acknowledged_is_made_when_it_ends(engine: sa.Engine) -> None:
    clock = ManualClock()
    writer = start(lamp(), engine, clock)
    with failing_commit(engine, committed=True), pytest.raises(Outage):
        writer.process([presses(1, "call")])
    assert writer.process([]).calls == []
    clock.advance(120)
    assert [call.attempt for call in writer.process([]).calls] == [2]


def test_failures_back_off_and_the_last_one_gives_up(engine: sa.Engine) -> None:
    clock, adapters = ManualClock(), Adapters(failures=9)
    writer = start(lamp(adapters, attempts=5), engine, clock)
    waits: list[float] = []
    outcome = run(writer, writer.process([presses(1, "call")]))
    while len(adapters.calls) < 5:
        began = clock.now
        while not outcome.calls:
            clock.advance(0.5)
            outcome = writer.process([])
        waits.append((clock.now - began).total_seconds())
        outcome = run(writer, outcome)
    assert waits == [1, 2, 4, 8]
    assert adapters.calls == [1, 2, 3, 4, 5]
    assert call_results(logged(writer)) == [False]
    clock.advance(1_000)
    assert start(lamp(adapters), engine, clock).process([]).calls == []
    [row] = rows(engine, schema.agenda)
    assert (row["state"], row["attempts"], row["error"].partition(" at ")[0]) == ("failed", 5, "ConnectionError")


def test_the_end_of_an_old_lease_makes_no_further_call(engine: sa.Engine) -> None:
    clock, adapters = ManualClock(), Adapters(failures=1)
    writer = start(lamp(adapters), engine, clock)
    run(writer, writer.process([presses(1, "call")]))
    clock.advance(100)
    [second] = writer.process([]).calls
    clock.advance(20)
    assert writer.process([]).calls == []
    run(writer, CommitResult(calls=[second]))
    assert (adapters.calls, call_results(logged(writer))) == ([1, 2], [True])


def overtaken(engine: sa.Engine, clock: ManualClock) -> tuple[Writer, DueCall, DueCall]:
    """A first attempt that took longer than its lease, and the second one, both under way."""
    writer = start(lamp(), engine, clock)
    [first] = writer.process([presses(1, "call")]).calls
    clock.advance(120)
    [second] = writer.process([]).calls
    return writer, first, second


def test_a_late_failure_of_an_earlier_attempt_changes_nothing(engine: sa.Engine) -> None:
    clock = ManualClock()
    writer, first, second = overtaken(engine, clock)
    writer.process([CallFailed(first, "late")])
    clock.advance(30)
    assert writer.process([]).calls == []
    run(writer, CommitResult(calls=[second]))
    assert call_results(logged(writer)) == [True]


def test_the_same_failure_counts_once(engine: sa.Engine) -> None:
    clock = ManualClock()
    writer = start(lamp(attempts=1), engine, clock)
    [call] = writer.process([presses(1, "call")]).calls
    writer.process([CallFailed(call, "no"), CallFailed(call, "no")])
    writer.process([CallFailed(call, "no")])
    assert call_results(logged(writer)) == [False]


def test_a_late_success_of_an_earlier_attempt_ends_the_call(engine: sa.Engine) -> None:
    clock = ManualClock()
    writer, first, second = overtaken(engine, clock)
    run(writer, CommitResult(calls=[first]))
    writer.process([CallFailed(second, "too late")])
    clock.advance(1_000)
    assert writer.process([]).calls == []
    assert (call_results(logged(writer)), rows(engine, schema.agenda)) == ([True], [])


def test_a_result_that_is_no_command_of_the_service_is_a_failure(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    [call] = writer.process([presses(1, "call")]).calls
    effect = writer.service.effects["tell"]
    object.__setattr__(effect, "run", lambda payload, attempt, adapters: None)
    assert isinstance(make_call(writer, call), CallFailed)


def test_an_effect_that_is_gone_leaves_its_call_as_failed(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)
    outcome = writer.process([presses(1, "call")])
    object.__setattr__(writer.service, "effects", {})
    run(writer, outcome)
    assert [row["state"] for row in rows(engine, schema.agenda)] == ["failed"]
    writer.process([presses(2, "2")])
    assert writer.positions == {"button": 2}


def test_a_poison_result_is_parked_and_replayed(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = start(lamp(), engine)
    [call] = writer.process([presses(1, "call")]).calls
    decide = writer.service.aggregates[0].decide

    def broken(command: object, state: object, given: object) -> object:
        if isinstance(command, ToyTell):
            raise ZeroDivisionError
        return decide(command, state, given)  # pyright: ignore[reportArgumentType]

    object.__setattr__(writer.service.aggregates[0], "decide", broken)
    writer.process([CallDone(call, ToyTell(lamp="a", succeeded=True))])
    assert parked(writer) == [f"call/{call.token}/1"]
    object.__setattr__(writer.service.aggregates[0], "decide", decide)
    writer.process([ReplayParked(f"call/{call.token}/1")])
    assert (parked(writer), call_results(logged(writer)), rows(engine, schema.agenda)) == ([], [True], [])


def test_a_plan_for_another_service_is_blamed_on_its_planner(engine: sa.Engine) -> None:
    writer = start(lamp(), engine)

    def plan(event: ToyDimmed, at: datetime) -> list[Plan]:
        return [ScheduleCommand("press", ToyPress(button=event.lamp), at)]

    object.__setattr__(writer.service, "plans", {ToyDimmed: plan})
    writer.process([send("1", ToyDim(lamp="a")), pressed(1, ("b", "1"))])
    assert (parked(writer), dimmed(logged(writer)), writer.positions) == (["command/1"], [], {"button": 1})
