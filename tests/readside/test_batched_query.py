"""What is looked up at the same moment is fetched together, whatever happens to the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from shared.eventstore.engines import open_engine
from shared.readside.batched_query import (
    MOST_KEYS,
    BatchedQuery,
    QueryRunner,
    Rows,
)
from tests.databases import NewDatabase
from tests.runtime.builders import Outage, failing, statements

metadata = sa.MetaData()
pages = sa.Table(
    "pages",
    metadata,
    sa.Column("book", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("text", sa.Text),
)
books = sa.Table("books", metadata, sa.Column("book", sa.Text, primary_key=True), sa.Column("title", sa.Text))
BOOK, PAGES = BatchedQuery(books.c.book), BatchedQuery(pages.c.book)
TITLED = BatchedQuery(books.c.book, pages.c.number, joined=books.outerjoin(pages, pages.c.book == books.c.book))


@pytest.fixture
def reads(new_database: NewDatabase) -> Iterator[sa.Engine]:
    """A database with the books a, of two pages, and b, of none."""
    yield from opened(new_database())


@pytest.fixture
def far(postgres: NewDatabase) -> Iterator[sa.Engine]:
    """The same on a server."""
    yield from opened(postgres())


def opened(url: str) -> Iterator[sa.Engine]:
    engine = open_engine(url, writer=False)
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(books), [{"book": "a", "title": "A"}, {"book": "b", "title": "B"}])
        connection.execute(sa.insert(pages), [{"book": "a", "number": 2, "text": "y"}])
        connection.execute(sa.insert(pages), [{"book": "a", "number": 1, "text": "x"}])
    yield engine
    engine.dispose()


@pytest.fixture
def reading(reads: sa.Engine) -> Iterator[QueryRunner]:
    found = QueryRunner(reads)
    yield found
    found.close()


def find(reading: QueryRunner, *wanted: tuple[BatchedQuery, str]) -> list[Rows | BaseException]:
    """What is found, or raised, for each of these when all are wanted at the same moment."""

    async def together() -> list[Rows | BaseException]:
        return await asyncio.gather(*(reading.find(lookup, key) for lookup, key in wanted), return_exceptions=True)

    return asyncio.run(together())


def test_each_gets_its_rows_in_the_order_of_the_primary_key(reading: QueryRunner) -> None:
    first, none, titled = find(reading, (PAGES, "a"), (PAGES, "b"), (TITLED, "b"))

    assert first == [{"book": "a", "number": 1, "text": "x"}, {"book": "a", "number": 2, "text": "y"}]
    assert none == ()
    assert titled == [{"book": "b", "number": None}]


def test_what_is_wanted_at_the_same_moment_is_one_statement(reads: sa.Engine, reading: QueryRunner) -> None:
    with statements(reads) as made:
        found = find(reading, *((BOOK, key) for key in "abcab"))

    assert found == [[{"book": key, "title": key.upper()}] if key in "ab" else () for key in "abcab"]
    assert len([one for one in made if "FROM books" in one]) == 1


def test_more_keys_than_a_statement_takes(reading: QueryRunner) -> None:
    keys = [*(f"none-{number}" for number in range(MOST_KEYS)), "a"]

    assert find(reading, *((BOOK, key) for key in keys))[-1] == [{"book": "a", "title": "A"}]


def test_what_was_committed_meanwhile_is_seen(reads: sa.Engine, reading: QueryRunner) -> None:
    find(reading, (BOOK, "a"))
    with reads.begin() as connection:
        connection.execute(sa.update(books).values(title="new"))

    assert find(reading, (BOOK, "a")) == [[{"book": "a", "title": "new"}]]


def test_who_gives_up_takes_nothing_from_others(reading: QueryRunner) -> None:
    async def ask() -> Rows:
        given_up, patient = reading.find(BOOK, "a"), reading.find(BOOK, "a")
        given_up.cancel()
        return await patient

    assert asyncio.run(ask()) == [{"book": "a", "title": "A"}]


def test_whoever_asks_during_an_outage_gets_it_and_it_is_over_afterwards(
    reads: sa.Engine, reading: QueryRunner
) -> None:
    with failing(reads, "FROM books"):
        *lost, rest = find(reading, (BOOK, "a"), (BOOK, "b"), (PAGES, "b"))

    assert [type(one) for one in lost] == [Outage, Outage]
    assert rest == ()
    assert find(reading, (BOOK, "a")) == [[{"book": "a", "title": "A"}]]


def test_nobody_waits_for_what_is_closed(reading: QueryRunner) -> None:
    reading.close()

    [error] = find(reading, (BOOK, "a"))
    assert isinstance(error, RuntimeError)


def test_a_connection_that_broke_is_replaced(far: sa.Engine) -> None:
    reading, served = QueryRunner(far), list[int]()
    event.listen(far, "checkout", lambda connection, *_: served.append(connection.info.backend_pid))
    find(reading, (BOOK, "a"))
    with far.connect() as connection:
        connection.execute(sa.select(sa.func.pg_terminate_backend(served[0])))

    assert find(reading, (BOOK, "a")) == [[{"book": "a", "title": "A"}]]
    assert served[-1] != served[0]
    reading.close()


def test_no_transaction_is_begun_on_a_server(far: sa.Engine) -> None:
    reading, modes = QueryRunner(far), list[bool]()
    event.listen(
        far,
        "before_cursor_execute",
        lambda connection, *_: modes.append(connection.connection.dbapi_connection.autocommit),
    )
    find(reading, (BOOK, "a"))
    reading.read(sa.select(books))

    assert modes == [True, True]
    reading.close()


def test_rows_are_read_one_after_the_other(reads: sa.Engine) -> None:
    reading = QueryRunner(reads)
    with reads.begin() as connection:
        more = [{"book": "b", "number": number, "text": "z"} for number in range(1, 101)]
        connection.execute(sa.insert(pages), more)
    whole = reading.stream(sa.select(pages.c.number).where(pages.c.book == "b").order_by(pages.c.number))
    assert [row["number"] for row in whole] == list(range(1, 101))
    rows = reading.stream(sa.select(pages))
    assert next(rows)["book"] == "a"
    rows.close()
    assert len(reading.read(sa.select(pages))) == 102
    reading.close()
