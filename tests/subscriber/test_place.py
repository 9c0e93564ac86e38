"""Each event is handled once, whatever is sent again, and whatever comes late."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kameng_subscriber import Event, MemoryPlace, Misconfigured, Place, SqlitePlace
from kameng_subscriber.place import KEPT
from tests.subscriber.builders import SOURCE, at

SENT_AHEAD = 1_000
NewPlace = Callable[[], Place]


@pytest.fixture(params=["memory", "sqlite"])
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewPlace]:
    if request.param == "memory":
        yield MemoryPlace
        return
    made: list[SqlitePlace] = []

    def make() -> Place:
        made.append(SqlitePlace(tmp_path / f"{len(made)}.sqlite3"))
        made[-1].connection.execute("PRAGMA synchronous = OFF")
        return made[-1]

    yield make
    for place in made:
        place.close()


def handled(place: Place, events: Iterable[Event]) -> list[int]:
    """The sequences of those that were new."""
    found = []
    for event in events:
        with place.taking(event) as fresh:
            if fresh:
                found.append(event.sequence)
    return found


def test_what_is_sent_again_is_handled_once(new_place: NewPlace) -> None:
    place = new_place()
    first = [at(sequence) for sequence in range(1, SENT_AHEAD + 1)]
    assert handled(place, first) == [*range(1, SENT_AHEAD + 1)]
    assert handled(place, first) == []
    assert handled(place, [at(SENT_AHEAD + 1)]) == [SENT_AHEAD + 1]


def test_what_comes_late_for_the_first_time_is_handled(new_place: NewPlace) -> None:
    """A queue refused one event of a window, and took those behind it."""
    place = new_place()
    window = [at(sequence) for sequence in range(5_001, 5_000 + SENT_AHEAD)]
    handled(place, window)
    assert handled(place, [at(5_000), *window]) == [5_000]


@settings(max_examples=25)
@given(data=st.data())
def test_however_they_come_each_is_handled_once(data: st.DataObject) -> None:
    """A publisher's way: any order inside a window beyond what is safe, sent again from there after each crash."""
    place, safe, log = MemoryPlace(), 0, data.draw(st.integers(1, 3_000))
    taken: list[int] = []
    while safe < log:
        window = range(safe + 1, min(safe + SENT_AHEAD, log) + 1)
        came = data.draw(st.lists(st.sampled_from(window), max_size=30))
        sure = data.draw(st.integers(safe + 1, window[-1]))
        taken += handled(place, [at(sequence) for sequence in [*came, *range(safe + 1, sure + 1)]])
        safe = sure
    assert sorted(taken) == [*range(1, log + 1)]


def test_what_is_far_behind_is_a_repeat_and_not_remembered_one_by_one(new_place: NewPlace) -> None:
    place = new_place()
    handled(place, [at(1), at(10 * KEPT)])
    if isinstance(place, SqlitePlace):
        assert handled(place, [at(2)]) == []
        (count,) = place.connection.execute("SELECT count(*) FROM kameng_handled").fetchone()
        assert count == 1


def test_what_the_feed_passed_is_done(new_place: NewPlace) -> None:
    place = new_place()
    place.passed(SOURCE, 7)
    place.passed(SOURCE, 3)
    assert place.through() == {SOURCE: 7}
    assert handled(place, [at(6), at(7), at(8)]) == [8]


def test_a_redriven_dead_letter_is_handled_however_old_and_once(new_place: NewPlace) -> None:
    place = new_place()
    place.passed(SOURCE, 9)
    old = at(4, redriven=True)
    assert handled(place, [old, old]) == [4]
    assert handled(place, [at(10)]) == [10]
    assert handled(place, [at(10, redriven=True), old, at(4)]) == []
    place.passed(SOURCE, 100)
    assert handled(place, [old]) == []


def test_logs_do_not_mix(new_place: NewPlace) -> None:
    place, other = new_place(), Event("id", "order", 1, "kameng.order.X.v1", at(1).time, "x-1", "1", {})
    assert handled(place, [at(1), other, at(1), other]) == [1, 1]


def test_a_failure_leaves_nothing_behind(new_place: NewPlace) -> None:
    place = new_place()
    with pytest.raises(ZeroDivisionError), place.taking(at(1)):
        raise ZeroDivisionError
    assert handled(place, [at(1)]) == [1]


# In a file


def test_it_is_kept_with_what_the_handler_wrote(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite3"
    place = SqlitePlace(path)
    place.connection.execute("CREATE TABLE seen (sequence INTEGER)")
    with place.taking(at(1)):
        place.connection.execute("INSERT INTO seen VALUES (1)")
    with pytest.raises(sqlite3.OperationalError), place.taking(at(2)):
        place.connection.execute("INSERT INTO seen VALUES (2)").execute("INSERT INTO nowhere VALUES (2)")
    place.passed("order", 3)
    place.replayed(done=True)
    place.close()

    again = SqlitePlace(path)
    assert again.connection.execute("SELECT sequence FROM seen").fetchall() == [(1,)]
    assert handled(again, [at(1), at(2)]) == [2]
    assert again.through() == {"order": 3}
    assert again.replayed()
    again.close()


def test_it_is_for_one_selection_of_events(tmp_path: Path) -> None:
    place = SqlitePlace(tmp_path / "shop.sqlite3")
    place.open("order.#")
    place.open("order.#")
    with pytest.raises(Misconfigured, match=r"kept for `order.#`, not for `ledger.#`"):
        place.open("ledger.#")
    place.close()
