"""Rows: a table read through memory and written in bulk."""

from __future__ import annotations

from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.eventstore.engines import open_engine
from shared.eventstore.statements import send
from shared.projections.keyed_rows import FEW
from shared.projections.projection import RowCache
from tests.eventstore.builders import Transaction
from tests.runtime.builders import rows, statements

metadata = sa.MetaData()
boxes = sa.Table(
    "boxes",
    metadata,
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("shelf", sa.Integer, primary_key=True),
    sa.Column("weight", sa.Integer),
    sa.Column("label", sa.Text),
)
things = sa.Table(
    "things",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("text", sa.Text),
    sa.Column("number", sa.BigInteger),
    sa.Column("real", sa.Float),
    sa.Column("true", sa.Boolean),
    sa.Column("json", sa.JSON),
)
doors = sa.Table("doors", metadata, sa.Column("door", sa.Text, primary_key=True))


def box(room: str, shelf: int, weight: int | None = None, label: str | None = None) -> dict[str, object]:
    return {"room": room, "shelf": shelf, "weight": weight, "label": label}


@pytest.fixture
def at_work(engine: sa.Engine) -> Transaction:
    metadata.create_all(engine)
    return Transaction(engine)


def test_a_batch_sees_what_it_put_before_anything_is_written(at_work: Transaction) -> None:
    found = RowCache(boxes, at_work)
    with at_work.begin():
        assert found.get("a", 1) is None
        found.put(box("a", 1, 5))
        found.update("a", 1, label="new")
        found.put(box("a", 2))
        found.delete("a", 2)
        found.delete("a", 3)
        assert found.get("a", 1) == box("a", 1, 5, "new")
        assert found.get_many([("a", 2), ("a", 1), ("b", 1)]) == {
            ("a", 2): None,
            ("a", 1): box("a", 1, 5, "new"),
            ("b", 1): None,
        }
        assert rows(at_work.engine, boxes) == [] if at_work.engine.dialect.name == "postgresql" else True
        found.flush()
    assert rows(at_work.engine, boxes) == [box("a", 1, 5, "new")]


def test_updating_what_is_not_there_is_an_error(at_work: Transaction) -> None:
    found = RowCache(boxes, at_work)
    with at_work.begin(), pytest.raises(KeyError, match="boxes"):
        found.update("a", 1, weight=1)


def test_all_changes_are_two_statements_and_all_reads_one(at_work: Transaction) -> None:
    found = RowCache(boxes, at_work)
    with at_work.begin():
        for shelf in range(400):
            found.put(box("a", shelf, shelf))
        found.flush()
    found.forget()
    with at_work.begin(), statements(at_work.engine) as seen:
        found.get_many([("a", shelf) for shelf in range(400)])
        for shelf in range(400):
            found.put(box("a", shelf, -1)) if shelf % 2 else found.delete("a", shelf)
            found.put(box("b", shelf))
        found.flush()
        found.flush()
        send(at_work())
    assert len([statement for statement in seen if not statement.startswith("BEGIN")]) == 3
    assert len(rows(at_work.engine, boxes)) == 600


def test_a_table_of_keys_only(at_work: Transaction) -> None:
    found = RowCache(doors, at_work)
    for _ in range(2):
        with at_work.begin():
            found.put({"door": "front"})
            found.flush()
        found.forget()
    assert rows(at_work.engine, doors) == [{"door": "front"}]


def test_values_come_back_as_they_were_put(at_work: Transaction) -> None:
    put = [
        {
            "key": "plain",
            "text": "a\tb\nc \\N '\" 卡盟 \N{KEY}",
            "number": 2**62,
            "real": 0.1,
            "true": True,
            "json": [1, "x"],
        },
        {"key": "", "text": "", "number": -1, "real": -1e300, "true": False, "json": {"卡": {"a": None}}},
        {"key": "null", "text": None, "number": None, "real": None, "true": None, "json": None},
        {"key": '"null"', "text": "null", "number": 0, "real": 0.0, "true": None, "json": "a text"},
    ]
    found = RowCache(things, at_work)
    for filling in range(0, 3 * FEW, 2 * FEW):
        with at_work.begin():
            for row in [*put, *({"key": f"filling-{n}"} for n in range(filling))]:
                found.put(row)
            found.flush()
        found.forget()
    with at_work.begin():
        assert found.get_many([(row["key"],) for row in put]) == {(row["key"],): row for row in put}
        for n in range(2 * FEW):
            found.delete(f"filling-{n}")
        found.delete('"null"')
        found.delete("")
        found.flush()
    assert [row["key"] for row in rows(at_work.engine, things)] == ["null", "plain"]


def test_after_a_rollback_the_database_counts(at_work: Transaction) -> None:
    found = RowCache(boxes, at_work)
    with at_work.begin():
        found.put(box("a", 1, 1))
        found.flush()
    with at_work.begin(rollback=True):
        found.update("a", 1, weight=2)
        found.put(box("a", 2))
        found.flush()
    found.forget()
    with at_work.begin():
        assert found.get("a", 1) == box("a", 1, 1)
        assert found.get("a", 2) is None
        found.flush()
    assert rows(at_work.engine, boxes) == [box("a", 1, 1)]


def test_a_query_sees_the_changes_so_far(at_work: Transaction) -> None:
    found = RowCache(boxes, at_work)
    with at_work.begin():
        found.put(box("a", 1, 3))
        found.put(box("a", 2, 4))
        total = sa.select(sa.func.sum(boxes.c.weight).label("total"))
        assert [int(row["total"]) for row in found.select(total)] == [7]
        found.delete("a", 1)
        assert [int(row["total"]) for row in found.select(total)] == [4]


def test_trimming_forgets_the_oldest_and_loses_nothing(at_work: Transaction) -> None:
    found = RowCache(boxes, at_work, keep=2)
    with at_work.begin():
        for shelf in range(4):
            found.put(box("a", shelf))
        found.flush()
    found.committed()
    with at_work.begin(), statements(at_work.engine) as seen:
        kept = found.get_many([("a", 2), ("a", 3)])
        assert seen in ([], ["BEGIN IMMEDIATE"])
        assert kept == {("a", 2): box("a", 2), ("a", 3): box("a", 3)}
        assert found.get("a", 0) == box("a", 0)


KEYS = st.tuples(st.sampled_from("ab"), st.integers(0, 2))
STEPS = st.one_of(
    st.tuples(st.just("put"), KEYS, st.integers(0, 9)),
    st.tuples(st.just("delete"), KEYS, st.none()),
    st.tuples(st.sampled_from(["commit", "rollback", "flush", "trim"]), st.none(), st.none()),
)


@given(st.lists(STEPS, max_size=30))
@settings(max_examples=40)
def test_rows_are_a_dictionary_that_commits_and_rolls_back(steps: list[tuple]) -> None:
    with TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{folder}/boxes.sqlite3", writer=True)
        metadata.create_all(engine)
        found = RowCache(boxes, lambda: connection, keep=2)
        durable: dict = {}
        batch: dict = {}
        connection = engine.connect()
        for step, key, weight in [*steps, ("commit", None, None)]:
            match step:
                case "put":
                    found.put({**box(*key), "weight": weight})
                    batch[key] = {**box(*key), "weight": weight}
                case "delete":
                    found.delete(*key)
                    batch.pop(key, None)
                case "flush":
                    found.flush()
                case "rollback":
                    connection.rollback()
                    found.forget()
                    batch = dict(durable)
                case _:
                    found.flush()
                    connection.commit()
                    found.committed()
                    durable = dict(batch)
            for shelf in range(3):
                assert found.get("a", shelf) == batch.get(("a", shelf))
        connection.close()
        assert rows(engine, boxes) == [durable[key] for key in sorted(durable)]
        engine.dispose()
