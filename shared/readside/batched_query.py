"""Queries for an event loop: lookups that are made at the same moment share one statement, in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

Row = dict[str, Any]
Rows = Sequence[Row]
Askers = dict[str, list[asyncio.Future[Rows]]]
MOST_KEYS = 500
ROWS_AHEAD = 16


class BatchedQuery:
    """A lookup of the rows of a table by a text in one column, in the order of the primary key. It returns all columns
    when none are named. `joined` is the table joined with others, whose columns may then be named too.

    The texts must be texts that the database can hold: one that is not fails all lookups of the moment.
    """

    def __init__(
        self, key: sa.Column[str], *columns: sa.ColumnElement[Any], joined: sa.FromClause | None = None
    ) -> None:
        self.key = key.name
        shown = (key, *columns) if columns else (key.table,)
        among = {
            "postgresql": key == sa.func.any(sa.bindparam("keys", type_=sa.ARRAY(sa.Text))),
            "sqlite": key.in_(sa.bindparam("keys", expanding=True)),
        }
        self._statements = {
            dialect: sa.select(*shown)
            .select_from(key.table if joined is None else joined)
            .where(one_of)
            .order_by(*key.table.primary_key)
            for dialect, one_of in among.items()
        }

    def rows(self, connection: sa.Connection, keys: Sequence[str]) -> dict[str, list[Row]]:
        """The rows of each key; keys without any are left out."""
        statement = self._statements[connection.dialect.name]
        found: dict[str, list[Row]] = {}
        for start in range(0, len(keys), MOST_KEYS):
            for row in _rows(connection.execute(statement, {"keys": keys[start : start + MOST_KEYS]})):
                found.setdefault(row[self.key], []).append(row)
        return found


class QueryRunner:
    """Runs queries on a database. Statements run outside transactions; after a broken connection they run once more.

    One event loop at a time may use it. Several callers may get the same row objects: do not change them.
    """

    def __init__(self, engine: sa.Engine) -> None:
        # On SQLite a transaction costs next to nothing, for no server is asked.
        is_far = engine.dialect.name == "postgresql"
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT") if is_far else engine
        self._thread = ThreadPoolExecutor(1, "look-ups")
        self._connection: sa.Connection | None = None  # the thread's
        self._wanted: dict[BatchedQuery, Askers] = {}
        self._asking: asyncio.Task[None] | None = None

    def find(self, lookup: BatchedQuery, key: str) -> asyncio.Future[Rows]:
        """The rows that have this key; one statement fetches all lookups of the moment. The future raises
        DBAPIError."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Rows] = loop.create_future()
        self._wanted.setdefault(lookup, {}).setdefault(key, []).append(future)
        if self._asking is None or self._asking.done():
            self._asking = loop.create_task(self._ask())
        return future

    def read(self, statement: sa.Select[*tuple[Any, ...]]) -> list[Row]:
        """The rows of any statement, on a new connection. It blocks: call it from a thread."""
        with self._engine.connect() as connection:
            return _rows(connection.execute(statement))

    def stream(self, statement: sa.Select[*tuple[Any, ...]]) -> Generator[Row, None, None]:
        """The rows of any statement one after the other, with only a few in memory. It blocks, as `read` does. Close
        the generator unless you read it to its end."""
        with self._engine.connect() as connection:
            if connection.dialect.name == "postgresql":  # its cursors live in transactions
                connection.execution_options(isolation_level="READ COMMITTED")
            result = connection.execution_options(stream_results=True, max_row_buffer=ROWS_AHEAD).execute(statement)
            names = tuple(result.keys())
            for row in result:
                yield dict(zip(names, row, strict=True))

    def close(self) -> None:
        """End the queries under way; nothing can be looked up after this."""
        self._thread.shutdown()
        self._disconnect()

    async def _ask(self) -> None:
        loop = asyncio.get_running_loop()
        while self._wanted:
            wanted, self._wanted = self._wanted, {}
            keys = {lookup: list(askers) for lookup, askers in wanted.items()}
            try:
                found = await loop.run_in_executor(self._thread, self._look_up, keys)
            except Exception as error:  # noqa: BLE001 - each lookup's future gets the error
                found = dict.fromkeys(wanted, error)
            for lookup, askers in wanted.items():
                _answer(askers, found[lookup])

    # In the thread

    def _look_up(
        self, wanted: Mapping[BatchedQuery, Sequence[str]]
    ) -> dict[BatchedQuery, Mapping[str, Rows] | Exception]:
        found: dict[BatchedQuery, Mapping[str, Rows] | Exception] = {}
        for lookup, keys in wanted.items():
            try:
                found[lookup] = self._rows_of(lookup, keys)
            except DBAPIError as error:
                found[lookup] = error
        return found

    def _rows_of(self, lookup: BatchedQuery, keys: Sequence[str]) -> Mapping[str, Rows]:
        try:
            return self._execute(lookup, keys)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return self._execute(lookup, keys)

    def _execute(self, lookup: BatchedQuery, keys: Sequence[str]) -> Mapping[str, Rows]:
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            with self._connection.begin():
                return lookup.rows(self._connection, keys)
        except DBAPIError:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _rows(result: sa.CursorResult[*tuple[Any, ...]]) -> list[Row]:
    names = tuple(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result]


def _answer(askers: Askers, found: Mapping[str, Rows] | Exception) -> None:
    for key, futures in askers.items():
        for future in _awaited(futures):
            if isinstance(found, Exception):
                future.set_exception(found)
                future.exception()  # or asyncio logs each error that no caller reads
            else:
                future.set_result(found.get(key, ()))


def _awaited(futures: Iterable[asyncio.Future[Rows]]) -> Iterable[asyncio.Future[Rows]]:
    return (future for future in futures if not future.done())
