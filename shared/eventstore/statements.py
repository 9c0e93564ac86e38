"""Statements that are built once: `fetch` executes a query at once, `write` executes with the next query or COMMIT."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import chain, count
from typing import Any

import orjson
import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from shared.eventstore.fencing import Fenced
from shared.eventstore.pipeline import PipelinedConnection, Prepared, Values

Executable = sa.Select[Any] | sa.Insert | sa.Update | sa.Delete
Encode = Callable[[Any], bytes]
TEXT, BINARY = 0, 1
# How values are sent to the server. Text is sent in binary format too, or libpq would cut it at a NUL.
ENCODINGS: Sequence[tuple[type[sa.types.TypeEngine[Any]], int, Encode]] = (
    (sa.String, BINARY, str.encode),
    (sa.JSON, BINARY, orjson.dumps),
    (sa.LargeBinary, BINARY, bytes),
    (sa.Boolean, TEXT, lambda value: b"t" if value else b"f"),
    (sa.Integer, TEXT, lambda value: str(value).encode()),
    (sa.Float, TEXT, lambda value: repr(value).encode()),
)
_numbers = count()


class size_in_bytes(GenericFunction[int]):
    """The size of a text in bytes; on SQLite, in characters."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(size_in_bytes)
def _octets(element: size_in_bytes, compiler: Any, **more: Any) -> str:
    return compiler.visit_function(element, **more).replace("size_in_bytes", "octet_length", 1)


@compiles(size_in_bytes, "sqlite")
def _characters(element: size_in_bytes, compiler: Any, **more: Any) -> str:
    return compiler.visit_function(element, **more).replace("size_in_bytes", "length", 1)


class Statement:
    """SQL with named parameters. A guarded statement must hit a row, or the transaction fails: see `write`."""

    def __init__(
        self, executable: sa.Select[Any] | sa.Insert | sa.Update | sa.Delete, *, guarded: bool = False
    ) -> None:
        self.executable, self.guarded = executable, guarded

    @cached_property
    def prepared(self) -> Prepared:
        """The statement as PostgreSQL prepares it."""
        return Prepared(b"k%d" % next(_numbers), str(self._compiled).encode(), [format_ for _, format_, _ in self._how])

    def values(self, row: Mapping[str, Any]) -> Values:
        """A row of parameters, encoded and in the statement's order."""
        return [None if (value := row[name]) is None else encode(value) for name, _, encode in self._how]

    @cached_property
    def _compiled(self) -> sa.sql.compiler.SQLCompiler:
        statement: Any = self.executable
        if self.guarded:
            # Without a hit the server divides by 0, and so skips the COMMIT in the same message.
            if not isinstance(statement, sa.Select):
                statement = statement.returning(sa.literal_column("1"))
            statement = sa.select(sa.literal_column("1 / count(*)")).select_from(statement.cte("hit"))
        return statement.compile(dialect=postgresql.dialect(paramstyle="numeric_dollar"))

    @cached_property
    def _how(self) -> list[tuple[str, int, Encode]]:
        types = {name: self._compiled.binds[name].type for name in self._compiled.positiontup or ()}
        return [(name, *_encoding(type_)) for name, type_ in types.items()]


def _encoding(type_: sa.types.TypeEngine[Any]) -> tuple[int, Encode]:
    for kind, format_, encode in ENCODINGS:
        if isinstance(type_, kind):
            return format_, encode
    raise TypeError(f"no encoding is known for {type_!r}")


def write(connection: sa.Connection, statement: Statement, rows: Sequence[Mapping[str, Any]], fence: str = "") -> None:
    """Execute a statement that returns nothing, for each row of parameters. On PostgreSQL it is sent with the next
    query or COMMIT, in the same message.

    With a `fence`, Fenced with that text is raised, here or there, when a unique key is taken, or a guarded statement
    (of one row) hits no row.
    """
    driver = connection.connection.driver_connection
    if isinstance(driver, PipelinedConnection):
        if not connection.in_transaction():
            connection.begin()  # or SQLAlchemy would not send the COMMIT
        for row in rows:
            driver.later(statement.prepared, statement.values(row), fence)
        return
    try:
        result = connection.execute(statement.executable, rows if len(rows) > 1 else rows[0])
    except IntegrityError as error:
        if fence:
            raise Fenced(fence) from error
        raise
    if statement.guarded and not (result.first() if result.returns_rows else result.rowcount):
        raise Fenced(fence)


def write_encoded(
    connection: sa.Connection, one: Statement, together: Statement, rows: Sequence[Values], fence: str
) -> bool:
    """As `write`, for rows whose values are encoded and in the statement's order: `together` takes many rows at once,
    `one` the rest. Returns False, and does nothing, on a database without this encoding."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, PipelinedConnection):
        return False
    if not connection.in_transaction():
        connection.begin()
    size = len(together.prepared.formats) // len(one.prepared.formats)
    whole = len(rows) - len(rows) % size
    for start in range(0, whole, size):
        driver.later(together.prepared, list(chain.from_iterable(rows[start : start + size])), fence)
    for row in rows[whole:]:
        driver.later(one.prepared, row, fence)
    return True


def fetch(connection: sa.Connection, statement: Statement, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    """The rows of a query, which sees all earlier writes. Raises Fenced as `write` does."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, PipelinedConnection):
        return connection.execute(statement.executable, values).all()
    try:
        return driver.ask(statement.prepared, statement.values(values))
    except psycopg.Error as error:
        raise _as_sqlalchemy(connection, driver, error) from error


def send(connection: sa.Connection) -> None:
    """Send the statements written so far. Raises Fenced."""
    driver = connection.connection.driver_connection
    if isinstance(driver, PipelinedConnection):
        try:
            driver.send()
        except psycopg.Error as error:
            raise _as_sqlalchemy(connection, driver, error) from error


def _as_sqlalchemy(connection: sa.Connection, driver: PipelinedConnection, error: psycopg.Error) -> BaseException:
    if driver.closed:
        connection.invalidate(error)
    return DBAPIError.instance(None, None, error, psycopg.Error, dialect=connection.dialect)
