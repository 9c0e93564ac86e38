"""States in memory: folded from the log, cut short by snapshots."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from shared.contracts import Event
from shared.eventstore import log, schema
from shared.writer import aggregate_cache
from shared.writer.aggregate_cache import AggregateCache, AggregateType
from tests.eventstore.builders import Transaction, event
from tests.runtime.builders import rows, statements
from tests.runtime.toy import Count, ToyPressed, evolve_button

FOLDINGS = {"button": AggregateType(Count, evolve_button)}


@dataclass(frozen=True)
class OtherShape:
    presses: int = 0


def count(state: OtherShape, event: Event) -> OtherShape:
    return OtherShape(state.presses + 1)


class Place:
    """A log and a memory of it that moves along."""

    def __init__(
        self, engine: sa.Engine, aggregate_types: dict[str, AggregateType] | None = None, *, keep: int = 100
    ) -> None:
        self.at_work = Transaction(engine)
        with engine.begin() as connection:
            log.create(connection)
            self.head = log.read_head(connection)
        self.cache = AggregateCache("button", aggregate_types or FOLDINGS, self.at_work, keep=keep)

    def press(self, stream: str, *notes: str, rollback: bool = False) -> list[int]:
        """Press so often in one transaction; the versions this gave."""
        pressed = [ToyPressed(button=stream.partition("-")[2], note=note) for note in notes]
        with self.at_work.begin(rollback=rollback) as connection:
            versions = [self.cache.evolve(stream, one) for one in pressed]
            first = self.head.position + 1
            new = [event(first + n, stream, version, notes[n]) for n, version in enumerate(versions)]
            self.cache.flush()
            head = log.append(connection, self.head, new)
        if rollback:
            self.cache.forget()
        else:
            self.head = head
            self.cache.committed()
        return versions

    def state(self, stream: str) -> object:
        with self.at_work.begin():
            return self.cache.get(stream).state


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots every three events."""
    monkeypatch.setattr(aggregate_cache, "SNAPSHOT_EVERY", 3)


def saved(engine: sa.Engine) -> list[tuple[str, int]]:
    return [(row["stream"], row["version"]) for row in rows(engine, schema.snapshots)]


def test_a_stream_without_events_is_in_its_initial_state(engine: sa.Engine) -> None:
    place = Place(engine)
    assert place.state("button-a") == Count()
    assert place.press("button-a", "x") == [1]
    assert place.state("button-a") == Count(1, ("x",))


def test_the_state_by_snapshot_is_the_state_by_all_events(engine: sa.Engine) -> None:
    place = Place(engine)
    for notes in (["1"], ["2", "3"], ["4"], ["5", "6", "7", "8"], ["9"]):
        place.press("button-a", *notes)
        place.press("button-b", notes[0])
        anew = Place(engine)
        assert anew.state("button-a") == place.state("button-a")
        assert anew.state("button-b") == place.state("button-b")
        with engine.begin() as connection:
            kept = connection.execute(sa.select(schema.snapshots)).mappings().all()
            connection.execute(sa.delete(schema.snapshots))
        assert Place(engine).state("button-a") == place.state("button-a")
        with engine.begin() as connection:
            for row in kept:
                connection.execute(sa.insert(schema.snapshots), [dict(row)])
    assert saved(engine) == [("button-a", 8), ("button-b", 3)]


def test_after_a_snapshot_only_later_events_are_read(engine: sa.Engine) -> None:
    Place(engine).press("button-a", "1", "2", "3")
    with engine.begin() as connection:
        connection.execute(sa.update(schema.snapshots).values(data='{"number": 30}'))
    place = Place(engine)
    place.press("button-a", "4")
    assert place.state("button-a") == Count(31, ("4",))


def test_many_streams_are_loaded_by_a_few_statements(engine: sa.Engine) -> None:
    place = Place(engine)
    streams = [f"button-{n}" for n in range(40)]
    for stream in streams[:20]:
        place.press(stream, "1", "2", "3")
        place.press(stream, "4")
    anew = Place(engine)
    with anew.at_work.begin(), statements(engine) as seen:
        anew.cache.load(streams)
        assert [anew.cache.get(stream).version for stream in streams] == [4] * 20 + [0] * 20
    few = {"postgresql": 3, "sqlite": 4}[engine.dialect.name]
    assert len([statement for statement in seen if statement.startswith("SELECT")]) == few


def test_no_snapshot_is_looked_for_while_there_is_none(engine: sa.Engine) -> None:
    place = Place(engine)
    place.press("button-a", "1")
    with place.at_work.begin(), statements(engine) as seen:
        place.cache.load(["button-b"])
    assert [one for one in seen if "FROM snapshots" in one] == []

    place.press("button-a", "2", "3")
    with place.at_work.begin(), statements(engine) as seen:
        place.cache.load(["button-c"])
    assert len([one for one in seen if "FROM snapshots" in one]) == 1


def test_a_snapshot_of_another_shape_is_not_used_and_replaced(engine: sa.Engine) -> None:
    Place(engine).press("button-a", "1", "2", "3", "4")
    place = Place(engine, {"button": AggregateType(OtherShape, count)})
    assert place.state("button-a") == OtherShape(4)
    place.press("button-a", "5")
    [row] = rows(engine, schema.snapshots)
    assert (row["version"], row["data"]) == (5, '{"presses":5}')
    assert Place(engine).state("button-a") == Count(5, ("3", "4", "5"))


def test_a_rollback_takes_the_state_back(engine: sa.Engine) -> None:
    place = Place(engine)
    place.press("button-a", "1", "2")
    place.press("button-a", "3", "4", rollback=True)
    assert (place.state("button-a"), saved(engine)) == (Count(2, ("1", "2")), [])
    assert place.press("button-a", "3") == [3]
    assert saved(engine) == [("button-a", 3)]


def test_the_least_lately_changed_streams_make_room_and_come_back(engine: sa.Engine) -> None:
    place = Place(engine, keep=2)
    for stream in ("button-a", "button-b", "button-a", "button-c"):
        place.press(stream, "x")
    with place.at_work.begin(), statements(engine) as seen:
        place.cache.load(["button-a", "button-c"])
        assert [one for one in seen if one.startswith("SELECT")] == []
        assert place.cache.get("button-b").version == 1
        assert [one for one in seen if one.startswith("SELECT")] != []
    assert place.press("button-b", "y") == [2]


def test_an_unknown_kind_of_stream_is_an_error(engine: sa.Engine) -> None:
    place = Place(engine)
    with place.at_work.begin(), pytest.raises(LookupError, match="door-a"):
        place.cache.get("door-a")
