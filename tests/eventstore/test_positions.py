"""A reader that asks for what is behind the last position it saw must never miss an event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from shared.eventstore import log, schema
from shared.eventstore.engines import open_engine
from shared.eventstore.statements import send
from tests.eventstore.builders import created, event

WRITERS, APPENDS = 8, 25
Append = Callable[[sa.Connection, int, int], None]

# Somewhere between an append and its commit others get their turn.
DAWDLE = sa.text("SELECT pg_sleep(random() * 0.003)")
BY_SEQUENCE = sa.text("INSERT INTO log SELECT nextval('positions'), :stream, :version, '', '', '', '', '', ''")


def by_head(connection: sa.Connection, writer: int, number: int) -> None:
    head = log.read_head(connection)
    versions = (2 * number - 1, 2 * number)
    pair = [
        event(position, f"button-{writer}", version) for position, version in enumerate(versions, head.position + 1)
    ]
    log.append(connection, head, pair)
    send(connection)


def by_sequence(connection: sa.Connection, writer: int, number: int) -> None:
    for version in (2 * number - 1, 2 * number):
        connection.execute(BY_SEQUENCE, {"stream": f"button-{writer}", "version": version})


@pytest.fixture
def url(postgres: Callable[[], str]) -> str:
    fresh = postgres()
    engine = open_engine(fresh, writer=True)
    created(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SEQUENCE positions"))
    engine.dispose()
    return fresh


@contextmanager
def opened(url: str) -> Iterator[sa.Engine]:
    engine = open_engine(url, writer=True)
    yield engine
    engine.dispose()


def write(url: str, append: Append, writer: int) -> None:
    with opened(url) as engine:
        for number in range(1, APPENDS + 1):
            while not appended(engine, append, writer, number):
                pass


def appended(engine: sa.Engine, append: Append, writer: int, number: int) -> bool:
    try:
        with engine.begin() as connection:
            append(connection, writer, number)
            connection.execute(DAWDLE)
    except log.Fenced:
        return False
    return True


def polled(url: str, append: Append) -> list[list[int]]:
    """What a reader got from each look at the log while 8 writers appended to it."""
    looks: list[list[int]] = [[]]
    behind = sa.select(schema.log.c.position).where(schema.log.c.position > sa.bindparam("after"))
    last = 0
    with opened(url) as reading, ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(write, url, append, writer) for writer in range(WRITERS)]
        working = True
        while working:
            working = not all(writer.done() for writer in writers)
            with reading.connect() as connection:
                found = sorted(connection.execute(behind, {"after": last}).scalars())
            if found:
                looks.append(found)
                last = found[-1]
        for writer in writers:
            writer.result()
    assert len(looks) > WRITERS, "the reader must have looked while they wrote"
    return looks


def check_that_none_is_missed(url: str, append: Append) -> None:
    seen = [position for look in polled(url, append) for position in look]
    missed = set(range(1, 2 * WRITERS * APPENDS + 1)) - set(seen)
    assert not missed, f"missed {len(missed)} events"


def test_a_reader_never_sees_a_position_before_an_earlier_one(url: str) -> None:
    check_that_none_is_missed(url, by_head)


def test_the_same_check_fails_against_a_plain_sequence(url: str) -> None:
    with pytest.raises(AssertionError, match="missed"):
        check_that_none_is_missed(url, by_sequence)
