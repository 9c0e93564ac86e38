"""Two writers on one database: from when the second has started, the first can't commit anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from shared.eventstore import log, schema
from shared.eventstore.engines import open_engine
from shared.eventstore.statements import send as send_now
from shared.writer.inputs import Input
from shared.writer.writer import Writer
from tests.eventstore.builders import append, created, events
from tests.runtime.builders import (
    ManualClock,
    logged,
    press,
    presses,
    rows,
    send,
    start,
    statements,
)
from tests.runtime.toy import (
    POISON,
    ToyLight,
    button,
    lamp,
)

NOTHING: Sequence[Input] = ()


def call(id_: str) -> Input:
    return send(id_, ToyLight(lamp="a", press="by hand", note="call"))


def everything(engine: sa.Engine) -> dict[str, list[dict[str, object]]]:
    return {table.name: rows(engine, table) for table in schema.metadata.sorted_tables}


@pytest.mark.parametrize(
    "works",
    [
        [press("1", "a")],
        [press("1", "a", note=POISON)],
        [press("0", "a")],
        NOTHING,
    ],
    ids=["a command", "poison to be parked", "a command answered before", "nothing"],
)
def test_the_older_of_two_writers_commits_nothing(engine: sa.Engine, works: Sequence[Input]) -> None:
    older = start(button(), engine)
    older.process([press("0", "a")])
    start(button(), engine)
    before = everything(engine)
    for _ in range(2):
        with pytest.raises(log.Fenced):
            older.process(works)
    assert everything(engine) == before


def test_the_older_of_two_writers_moves_no_reader(engine: sa.Engine) -> None:
    older = start(lamp(), engine)
    start(lamp(), engine)
    with pytest.raises(log.Fenced):
        older.process([presses(1, "1")])
    assert [row["position"] for row in rows(engine, schema.readers)] == [0]


def test_the_older_of_two_writers_leases_no_calls(engine: sa.Engine) -> None:
    clock = ManualClock()
    older = start(lamp(), engine, clock)
    assert [one.attempt for one in older.process([call("1")]).calls] == [1]
    younger = start(lamp(), engine, clock)
    clock.advance(200)
    with pytest.raises(log.Fenced):
        older.process([])
    assert [row["attempts"] for row in rows(engine, schema.agenda)] == [1]
    assert [one.attempt for one in younger.process([]).calls] == [2]


def test_a_fenced_writer_that_starts_again_fences_the_other(engine: sa.Engine) -> None:
    older = start(button(), engine)
    younger = start(button(), engine)
    younger.process([press("1", "a")])
    with pytest.raises(log.Fenced):
        older.process([press("2", "a")])
    older.start()
    older.process([press("2", "a")])
    with pytest.raises(log.Fenced):
        younger.process([press("3", "a")])
    assert len(logged(older)) == 2


def test_the_fence_costs_one_statement_without_events_and_none_with_them(engine: sa.Engine) -> None:
    writer: Writer = start(lamp(), engine)

    def heads(works: Sequence[Input]) -> list[str]:
        with statements(engine) as seen:
            writer.process(works)
        return ["UPDATE" if "UPDATE head" in one else "SELECT" for one in seen if "head" in one]

    assert heads([]) == ["SELECT"]
    assert heads([call("1"), presses(1, "1", "2")]) == ["UPDATE"]


def test_a_writer_that_starts_waits_for_a_commit_under_way_and_sees_it(postgres: Callable[[], str]) -> None:
    engine = open_engine(postgres(), writer=True)
    before = created(engine)

    def begin_epoch() -> tuple[int, int]:
        with engine.begin() as connection:
            return log.next_epoch(connection), log.read_head(connection).position

    with ThreadPoolExecutor(1) as thread:
        with engine.begin() as connection:
            log.append(connection, before, events(1, 1))
            send_now(connection)
            starting = thread.submit(begin_epoch)
            _until_somebody_waits(engine)
        assert starting.result() == (1, 1)
        with engine.begin() as connection:
            log.append(connection, log.Head(1, before.at, before.hash, 1), [])
            send_now(connection)
            starting = thread.submit(begin_epoch)
            _until_somebody_waits(engine)
        assert starting.result() == (2, 1)
    with pytest.raises(log.Fenced):
        append(engine, log.Head(1, before.at, before.hash, 1), [])
    engine.dispose()


def _until_somebody_waits(engine: sa.Engine) -> None:
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE head SET epoch%'"
    )
    while True:
        with engine.connect() as connection:
            if connection.execute(waiting).scalar_one():
                return
