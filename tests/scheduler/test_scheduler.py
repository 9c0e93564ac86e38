"""The agenda alone; its work inside a writer is in tests/runtime."""

from __future__ import annotations

from datetime import datetime, timedelta
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts import CallExternal, Cancel, ScheduleCommand
from shared.eventstore import schema
from shared.eventstore.engines import open_engine
from shared.scheduler.scheduler import Scheduler, back_off
from tests.eventstore.builders import Transaction
from tests.runtime.builders import META, START, rows
from tests.runtime.toy import ToyDim

LEASE = timedelta(seconds=120)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def later(key: str, seconds: float) -> ScheduleCommand:
    return ScheduleCommand(key, ToyDim(lamp=key), after(seconds))


class SchedulerHarness:
    """An agenda and its transactions."""

    def __init__(self, engine: sa.Engine) -> None:
        schema.metadata.create_all(engine)
        self.at_work, self.tokens, self.given_up = Transaction(engine), 0, list[str]()
        self.restart()

    def restart(self) -> None:
        self.agenda = Scheduler(self.at_work)
        with self.at_work.begin() as connection:
            self.agenda.load(connection, restarted=True)

    def _token(self) -> str:
        self.tokens += 1
        return f"token-{self.tokens}"

    def plan(self, *plans: ScheduleCommand | CallExternal | Cancel, seconds: float = 0, rollback: bool = False) -> None:
        with self.at_work.begin(rollback=rollback):
            for plan in plans:
                self.agenda.plan(plan, self._token(), META, after(seconds))
            self.agenda.flush()
        self.end(rollback)

    def take(self, seconds: float, limit: int = 100, *, rollback: bool = False) -> list[str]:
        with self.at_work.begin(rollback=rollback):
            taken = self.agenda.take_commands(after(seconds), limit, self.given_up.append)
            self.agenda.flush()
        self.end(rollback)
        return [due.key for due in taken]

    def lease(self, seconds: float, *, rollback: bool = False) -> list[tuple[str, int]]:
        with self.at_work.begin(rollback=rollback):
            calls = self.agenda.lease(after(seconds), LEASE)
            self.agenda.flush()
        self.end(rollback)
        return [(call.key, call.attempt) for call in calls]

    def end(self, rollback: bool) -> None:
        if rollback:
            self.agenda.forget()
        else:
            self.agenda.committed()


@pytest.fixture
def scheduler(engine: sa.Engine) -> SchedulerHarness:
    return SchedulerHarness(engine)


def test_commands_come_in_order_of_their_time_and_once(scheduler: SchedulerHarness) -> None:
    scheduler.plan(later("c", 3), later("a", 1), later("b", 2), later("d", 4))
    assert scheduler.agenda.next_due() == "2026-01-01T08:00:01.000000+00:00"
    assert scheduler.take(0.9) == []
    assert scheduler.take(3, limit=2) == ["a", "b"]
    assert scheduler.take(3) == ["c"]
    scheduler.restart()
    assert scheduler.take(9) == ["d"]
    assert scheduler.agenda.next_due() is None


def test_one_key_holds_one_item(scheduler: SchedulerHarness) -> None:
    scheduler.plan(later("a", 1), later("a", 5))
    scheduler.plan(later("b", 1))
    scheduler.plan(CallExternal("b", "tell", {}, after(7)))
    assert scheduler.take(4) == []
    assert scheduler.take(5) == ["a"]
    assert scheduler.lease(6) == []
    assert scheduler.lease(7) == [("b", 1)]


def test_cancelled_items_never_come(scheduler: SchedulerHarness) -> None:
    scheduler.plan(later("a", 1), CallExternal("b", "tell", {}, after(1)), Cancel("a"), Cancel("nothing"))
    scheduler.plan(Cancel("b"))
    assert (scheduler.take(9), scheduler.lease(9), rows(scheduler.at_work.engine, schema.agenda)) == ([], [], [])


def test_a_rollback_restores_what_was_taken_and_drops_what_was_planned(scheduler: SchedulerHarness) -> None:
    scheduler.plan(later("a", 1), CallExternal("b", "tell", {}, after(1)))
    scheduler.plan(later("c", 1), Cancel("a"), rollback=True)
    assert scheduler.take(2, rollback=True) == ["a"]
    assert scheduler.take(2, rollback=True) == ["a"]
    assert scheduler.lease(2, rollback=True) == [("b", 1)]
    assert (scheduler.take(2), scheduler.lease(2)) == (["a"], [("b", 1)])


def test_a_lease_that_ends_or_dies_is_the_next_attempt(scheduler: SchedulerHarness) -> None:
    scheduler.plan(CallExternal("a", "tell", {"n": [1, "x"]}))
    assert scheduler.lease(0) == [("a", 1)]
    assert scheduler.lease(119) == []
    assert scheduler.lease(120) == [("a", 2)]
    scheduler.restart()
    assert scheduler.lease(121) == [("a", 3)]
    assert scheduler.lease(121) == []
    assert [row["attempts"] for row in rows(scheduler.at_work.engine, schema.agenda)] == [3]


@given(st.integers(1, 60), st.floats(0.01, 10), st.floats(10, 1_000))
def test_waits_double_from_the_first_up_to_the_longest(attempt: int, first: float, longest: float) -> None:
    wait = back_off(attempt, first, longest).total_seconds()
    assert wait == pytest.approx(min(first * 2 ** (attempt - 1), longest), abs=1e-6)


NAMES = st.sampled_from("abc")
STEPS = st.one_of(
    st.tuples(st.just("later"), NAMES, st.integers(0, 9)),
    st.tuples(st.just("cancel"), NAMES, st.just(0)),
    st.tuples(st.sampled_from(["take", "restart"]), st.just(""), st.integers(0, 9)),
)


@given(st.lists(st.tuples(STEPS, st.booleans()), max_size=25))
@settings(max_examples=40)
def test_the_agenda_is_a_dictionary_of_times(steps: list[tuple[tuple[str, str, int], bool]]) -> None:
    with TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{folder}/agenda.sqlite3", writer=True)
        scheduler = SchedulerHarness(engine)
        model: dict[str, int] = {}
        for (step, key, seconds), rollback in steps:
            changed = dict(model)
            match step:
                case "later":
                    scheduler.plan(later(key, seconds), rollback=rollback)
                    changed[key] = seconds
                case "cancel":
                    scheduler.plan(Cancel(key), rollback=rollback)
                    changed.pop(key, None)
                case "take":
                    taken = scheduler.take(seconds, rollback=rollback)
                    due = {name for name, at in model.items() if at <= seconds}
                    assert [model[name] for name in taken] == sorted(model[name] for name in due)
                    assert set(taken) == due
                    changed = {name: at for name, at in model.items() if name not in due}
                case _:
                    scheduler.restart()
            model = model if rollback else changed
        assert set(scheduler.take(100)) == set(model)
        engine.dispose()
