"""Tables that begin empty and are filled: the same rows as ever, whatever was forgotten meanwhile."""

from __future__ import annotations

from random import Random

import pytest
import sqlalchemy as sa

from shared.contracts import Event
from shared.eventstore import log
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import RowCache
from shared.projections.replay import PAGE, fold
from tests.eventstore.builders import created, events
from tests.projections.test_projection import (
    box,
    boxes,
    metadata,
    things,
)
from tests.runtime.builders import rows, statements
from tests.runtime.toy import LampProjection, ToyPressed, lamps


@pytest.mark.parametrize("keep", [0, 3, 1_000])
def test_filled_rows_are_a_dictionary(engine: sa.Engine, keep: int) -> None:
    metadata.create_all(engine)
    luck, expected = Random(keep), {}
    with engine.connect() as connection:
        found = RowCache(boxes, lambda: connection, keep)
        found.fill()
        for _ in range(600):
            key = ("a", luck.randrange(12))
            match luck.choice(["put", "put", "put", "delete", "get", "commit"]):
                case "put":
                    expected[key] = box(*key, luck.randrange(99), luck.choice([None, "卡\t\\N"]))
                    found.put(expected[key])
                case "delete":
                    found.delete(*key)
                    expected.pop(key, None)
                case "get":
                    assert found.get(*key) == expected.get(key)
                case _:
                    found.flush()
                    connection.commit()
                    found.committed()
        found.flush()
        connection.commit()
    assert rows(engine, boxes) == [expected[key] for key in sorted(expected)]


def test_filled_values_are_what_was_put(engine: sa.Engine) -> None:
    metadata.create_all(engine)
    put = [
        {"key": "a", "text": "\t\n\\ '\"", "number": -(2**62), "real": 0.1, "true": False, "json": {"卡": [None, 1.5]}},
        {"key": "b", "text": None, "number": None, "real": None, "true": None, "json": None},
        {"key": "c", "text": "", "number": 0, "real": -1e300, "true": True, "json": "null"},
    ]
    with engine.begin() as connection:
        found = RowCache(things, lambda: connection)
        found.fill()
        for row in put:
            found.put(row)
        found.flush()
    assert rows(engine, things) == put


def test_what_is_all_in_memory_is_not_looked_up(engine: sa.Engine) -> None:
    metadata.create_all(engine)
    with engine.begin() as connection:
        found = RowCache(boxes, lambda: connection)
        found.fill()
        found.put(box("a", 1))
        found.flush()
        found.committed()
        with statements(engine) as seen:
            assert found.get_many([("a", 1), ("a", 2)]) == {("a", 1): box("a", 1), ("a", 2): None}
        assert seen == []


class OfPresses(LampProjection):
    """Folds no own event."""

    own_events = ()


class OfButtons(LampProjection):
    own_events = (ToyPressed,)

    def apply(self, event: Event, recorded: RecordedEvent) -> None:
        assert isinstance(event, ToyPressed)
        super().apply(event, recorded)


def test_events_that_nobody_folds_are_not_fetched(engine: sa.Engine) -> None:
    created(engine, 5)
    logs = {"button": engine}

    assert fold("button", OfPresses, frozenset(), logs, {"button": 5}, engine) == 0
    assert rows(engine, lamps) == []
    assert fold("button", OfButtons, frozenset(), logs, {"button": 3}, engine) == 3
    assert fold("lamp", OfPresses, frozenset({"ToyPressed"}), logs, {"button": 5}, engine, after={"button": 3}) == 2
    assert [row["presses"] for row in rows(engine, lamps)] == [5]


def test_a_log_that_ends_too_early_is_an_error(engine: sa.Engine) -> None:
    created(engine, 5)
    with pytest.raises(LookupError, match="ends at 5"):
        fold("button", OfPresses, frozenset(), {"button": engine}, {"button": 6}, engine)


def test_pages_join(engine: sa.Engine) -> None:
    head = created(engine)
    with engine.begin() as connection:
        log.append(connection, head, events(1, PAGE + 1))

    for last in (PAGE - 1, PAGE, PAGE + 1):
        lamps.drop(engine, checkfirst=True)
        assert fold("button", OfButtons, frozenset(), {"button": engine}, {"button": last}, engine) == last
        assert [row["presses"] for row in rows(engine, lamps)] == [last]
