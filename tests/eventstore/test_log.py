"""The append-only log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from shared.eventstore import chain_check, log, log_reader, schema
from shared.eventstore.engines import open_engine
from shared.eventstore.statements import send
from tests.databases import NewDatabase
from tests.eventstore.builders import (
    append,
    created,
    event,
    events,
    read,
)
from tests.runtime.builders import START

SECOND = timedelta(seconds=1)


# Appending


def test_events_come_back_as_they_were_appended(engine: sa.Engine) -> None:
    new = [event(1, "button-a", 1, "\N{BELL} 卡盟 '\"\\"), event(2, "button-b", 1), event(3, "button-a", 2)]
    after = append(engine, created(engine), new)
    assert read(engine) == new
    assert read(engine, after=1, limit=1) == new[1:2]
    with engine.connect() as connection:
        assert log.read_head(connection) == after == log.Head(3, new[-1].at, after.hash)
    assert chain_check.check_chain(engine) is None


def test_creating_twice_changes_nothing(engine: sa.Engine) -> None:
    head = created(engine, 3)
    with engine.begin() as connection:
        log.create(connection, ["lamp", "other"])
        assert log.read_head(connection) == head
        found = connection.execute(sa.select(schema.readers.c.source).order_by(schema.readers.c.source)).scalars()
        assert list(found) == ["lamp", "other"]


def test_no_events_leave_the_head(engine: sa.Engine) -> None:
    head = created(engine, 2)
    assert append(engine, head, []) == head


@pytest.mark.parametrize(
    ("stream", "versions"),
    [("button-a", [1, 2]), ("button-b", [1, 2]), ("button-a", [3, 4])],
    ids=["same stream", "other stream", "free version"],
)
def test_a_writer_with_a_stale_head_is_fenced_and_writes_nothing(
    engine: sa.Engine, stream: str, versions: list[int]
) -> None:
    stale = created(engine)
    first = append(engine, stale, events(1, 2))
    with pytest.raises(log.Fenced):
        append(engine, stale, [event(position, stream, v) for position, v in enumerate(versions, start=1)])
    with pytest.raises(log.Fenced):
        append(engine, stale, [event(position, stream, v) for position, v in enumerate(versions, start=3)])
    assert read(engine) == events(1, 2)
    assert append(engine, first, events(3, 1)).position == 3
    assert chain_check.check_chain(engine) is None


def test_a_stream_has_each_version_once(engine: sa.Engine) -> None:
    head = created(engine, 2)
    with pytest.raises(log.Fenced):
        append(engine, head, [event(3, "button-a", 2)])
    assert [one.position for one in read(engine)] == [1, 2]


def test_two_postgresql_writers_at_once_leave_one_order(postgres: Callable[[], str]) -> None:
    engine = open_engine(postgres(), writer=True)
    stale = created(engine)
    with engine.connect() as slow:
        slow.begin()
        slow.execute(sa.text("SET LOCAL lock_timeout = '50ms'"))
        with engine.begin() as quick:
            log.append(quick, stale, [event(1, "button-a", 1)])
            send(quick)
            log.append(slow, stale, [event(1, "button-b", 1)])
            with pytest.raises(OperationalError):
                send(slow)
        slow.rollback()
    with pytest.raises(log.Fenced):
        append(engine, stale, [event(1, "button-b", 1)])
    assert [one.stream for one in read(engine)] == ["button-a"]
    engine.dispose()


def test_a_reader_moves_from_where_it_is_only(engine: sa.Engine) -> None:
    created(engine)
    with engine.begin() as connection:
        log.move_reader(connection, "lamp", 0, 7)
    for source, before in [("lamp", 0), ("lamp", 6), ("nobody", 0)]:
        with pytest.raises(log.Fenced), engine.begin() as connection:
            log.move_reader(connection, source, before, 9)
    with engine.begin() as connection:
        log.move_reader(connection, "lamp", 7, 8)
        assert connection.execute(sa.select(schema.readers.c.position)).scalars().all() == [8]


# Reading


@pytest.mark.parametrize(
    ("after", "up_to", "expected"),
    [(0, None, range(1, 8)), (2, 5, range(3, 6)), (3, 3, []), (6, 20, range(7, 8)), (9, None, [])],
)
def test_pages_leave_nothing_out(tmp_path: Path, after: int, up_to: int | None, expected: range) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'log.sqlite3'}", writer=True)
    created(engine, 7)
    found = log_reader.read_all(engine, "button", after=after, up_to=up_to, page=2)
    assert [one.position for one in found] == list(expected)
    engine.dispose()


def test_streams_are_read_behind_their_versions(engine: sa.Engine) -> None:
    new = [event(n + 1, f"button-{'abc'[n % 3]}", n // 3 + 1) for n in range(9)]
    append(engine, created(engine), new)
    with engine.connect() as connection:
        found = log_reader.read_streams(
            connection, "button", {"button-a": 0, "button-b": 2, "button-c": 3, "button-d": 0}
        )
    assert {stream: [one.position for one in part] for stream, part in found.items()} == {
        "button-a": [1, 4, 7],
        "button-b": [8],
        "button-c": [],
        "button-d": [],
    }


@given(gaps=st.lists(st.integers(0, 3), max_size=12), asked=st.integers(-1, 40))
@settings(max_examples=25)
def test_the_position_at_a_time_is_the_last_not_later(gaps: list[int], asked: int) -> None:
    times = [START + sum(gaps[: n + 1]) * SECOND for n in range(len(gaps))]
    moment = START + asked * SECOND
    with TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{folder}/log.sqlite3", writer=True)
        append(engine, created(engine), [event(n, "button-a", n, at=at) for n, at in enumerate(times, start=1)])
        with engine.connect() as connection:
            assert log_reader.position_at(connection, moment) == sum(at <= moment for at in times)
        engine.dispose()


# Tampering

COLUMNS = [column.name for column in schema.log.columns if column.name != "position"]


def tamper(engine: sa.Engine, *statements: sa.Executable) -> int | None:
    """The position that is named after these statements; the log is then as before."""
    with engine.connect() as connection:
        before = (
            connection.execute(sa.select(schema.log)).mappings().all(),
            connection.execute(sa.select(schema.head)).mappings().all(),
        )
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)
    found = chain_check.check_chain(engine)
    with engine.begin() as connection:
        for table, rows in zip((schema.log, schema.head), before, strict=True):
            connection.execute(sa.delete(table))
            connection.execute(sa.insert(table), [dict(row) for row in rows])
    assert chain_check.check_chain(engine) is None
    return found.position if found else None


def at(position: int) -> sa.ColumnElement[bool]:
    return schema.log.c.position == position


def changed(value: str | bytes | int, index: int) -> str | bytes | int:
    match value:
        case int():
            return value + 64
        case bytes():
            place = index % len(value)
            return value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :]
        case str():
            place = index % len(value)
            return value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :]


@pytest.mark.parametrize("column", COLUMNS)
def test_one_changed_character_names_its_position(engine: sa.Engine, column: str) -> None:
    created(engine, 4)
    for position in (1, 4):
        value = _value(engine, position, column)
        places = (0, 10, 19, 25, 26, 30) if column == "at" else (0, 7)
        for index in places:
            statement = sa.update(schema.log).where(at(position)).values({column: changed(value, index)})
            assert tamper(engine, statement) == position, index


def _value(engine: sa.Engine, position: int, column: str) -> str | bytes | int:
    with engine.connect() as connection:
        return connection.execute(sa.select(schema.log.c[column]).where(at(position))).scalar_one()


def test_missing_extra_and_swapped_rows_are_named(engine: sa.Engine) -> None:
    created(engine, 5)
    table, head = schema.log, schema.head
    first = {column: _value(engine, 1, column) for column in (*COLUMNS, "position")}
    swap = [sa.update(table).where(at(a)).values(position=b) for a, b in [(2, 90), (3, 2), (90, 3)]]
    assert tamper(engine, sa.delete(table).where(at(3))) == 3
    assert tamper(engine, sa.delete(table).where(table.c.position >= 4)) == 4
    assert tamper(engine, sa.delete(table)) == 1
    assert tamper(engine, *swap) == 2
    assert tamper(engine, sa.update(table).where(at(5)).values(position=6)) == 5
    assert tamper(engine, sa.update(table).where(at(1)).values(position=0)) == 1
    assert tamper(engine, sa.insert(table).values({**first, "position": 6, "version": 6})) == 6
    assert tamper(engine, sa.update(head).values(position=4)) == 4
    assert tamper(engine, sa.update(head).values(position=6)) == 6
    assert tamper(engine, sa.update(head).values(hash=bytes(32))) == 5
    assert tamper(engine, sa.update(head).values(at=log.EPOCH)) == 5


def test_a_forged_event_breaks_the_chain_behind_it(engine: sa.Engine) -> None:
    created(engine, 3)
    forged = event(2, "button-a", 2, "forged")
    with engine.connect() as connection:
        previous = connection.execute(sa.select(schema.log.c.hash).where(at(1))).scalar_one()
    values = {"data": forged.data, "hash": log.link(bytes(previous), forged)}
    assert tamper(engine, sa.update(schema.log).where(at(2)).values(values)) == 3


MANY = 2 * log.TOGETHER + 3


def test_many_events_at_once_are_as_many_one_by_one(new_database: NewDatabase) -> None:
    heads = []
    for step in (1, log.TOGETHER, MANY):
        engine = open_engine(new_database(), writer=True)
        head = created(engine)
        for first in range(1, MANY + 1, step):
            head = append(engine, head, events(first, min(step, MANY + 1 - first)))
        assert chain_check.check_chain(engine) is None
        assert read(engine) == events(1, MANY)
        heads.append(head)
        engine.dispose()
    assert heads[0] == heads[1] == heads[2]


def test_a_version_taken_among_many_events_fences(engine: sa.Engine) -> None:
    head = created(engine, 1)
    new = events(2, MANY)
    new[MANY // 2] = event(2 + MANY // 2, "button-a", 1)
    with pytest.raises(log.Fenced, match="is taken"):
        append(engine, head, new)
    assert read(engine) == events(1, 1)


def test_what_is_read_at_once_is_bounded_by_bytes(engine: sa.Engine) -> None:
    created(engine, 9)
    size = len(events(1, 1)[0].data) + len(events(1, 1)[0].meta_json)
    with engine.connect() as connection:
        for most_bytes, count in ((1, 1), (2 * size, 2), (2 * size + 1, 3), (100 * size, 9)):
            found = log_reader.read(connection, "button", 0, 100, most_bytes)
            assert [one.position for one in found] == list(range(1, count + 1))
        assert [one.position for one in log_reader.read(connection, "button", 7, 1, 100 * size)] == [8]


def test_pages_cut_by_bytes_make_the_whole_log(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    created(engine, 9)
    monkeypatch.setattr(log_reader, "MOST_BYTES", 1)
    names = frozenset({"ToyPressed"})
    assert [one.position for one in log_reader.read_all(engine, "button")] == list(range(1, 10))
    with engine.connect() as connection:
        assert [one.position for one in log_reader.read_named(connection, "button", 3, 9, 5, names)] == [4]
