"""Loads a table that was empty at first: new rows go in by COPY, the quickest way into PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import orjson
import psycopg
import sqlalchemy as sa
from psycopg.sql import SQL, Identifier

from shared.projections.keyed_rows import Key, Row, keyed


class BulkLoader:
    """Writes the rows of one table that no other process writes.

    `is_whole`: the cache holds every row of the table, so a row that is not cached does not exist. `there`: the keys of
    cached rows that are in the table.
    """

    def __init__(self, table: sa.Table) -> None:
        self.is_whole, self.there = True, set[Key]()
        self._table = table
        names = [str(column.name) for column in table.columns]
        self._fields = itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
        self._json = [place for place, column in enumerate(table.columns) if isinstance(column.type, sa.JSON)]
        columns = SQL(", ").join(map(Identifier, names))
        self._copy = SQL("COPY {} ({}) FROM STDIN").format(Identifier(table.name), columns)

    def write(self, connection: sa.Connection, rows: Mapping[Key, Row]) -> None:
        """Insert or replace whole rows."""
        new = rows.keys() - self.there if connection.dialect.name == "postgresql" else ()
        if new and not self._copied(connection, (rows[key] for key in rows if key in new)):
            new = ()
        if len(new) < len(rows):
            known = [row for key, row in rows.items() if key not in new]
            keyed(self._table, connection.dialect.name).upsert(connection, known)
        self.there.update(rows)

    def forgot(self, key: Key) -> None:
        """This row has left the cache."""
        self.there.discard(key)
        self.is_whole = False

    def forgot_all(self) -> None:
        """The cache was emptied."""
        self.is_whole = self.is_whole and not self.there
        self.there.clear()

    def _copied(self, connection: sa.Connection, rows: Iterable[Row]) -> bool:
        """COPY the rows. Returns False, and writes nothing, when the table holds one of them: it had left the cache."""
        raw: Any = connection.connection.driver_connection
        if not connection.in_transaction():
            connection.begin()
        with raw.cursor() as cursor:
            cursor.execute("SAVEPOINT filling")
            try:
                with cursor.copy(self._copy) as copying:
                    for row in rows:
                        copying.write_row(self._values(row))
            except psycopg.errors.UniqueViolation:
                cursor.execute("ROLLBACK TO SAVEPOINT filling")
                return False
            cursor.execute("RELEASE SAVEPOINT filling")
        return True

    def _values(self, row: Row) -> Sequence[Any]:
        fields = self._fields(row)
        if not self._json:
            return fields
        values = list(fields)
        for place in self._json:
            if values[place] is not None:
                values[place] = orjson.dumps(values[place]).decode()
        return values
