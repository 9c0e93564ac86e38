"""Reads, upserts and deletes rows of a table by primary key, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from shared.eventstore.arrays import GIVEN, given_rows, matching
from shared.eventstore.statements import Statement, fetch, write

Key = tuple[Any, ...]
Row = dict[str, Any]
FEW = 20  # with more rows, one statement for all costs less than one for each


class KeyedRows:
    """The statements for one table, built once, since building a statement costs more than running it."""

    def __init__(self, table: sa.Table, dialect: str) -> None:
        key = list(table.primary_key.columns)
        self._columns = [str(column.name) for column in table.columns]
        self._key = [str(column.name) for column in key]
        self._on_postgresql = dialect == "postgresql"
        self._find = Statement(_among_given(table) if self._on_postgresql else _among_parameters(table))
        insert = postgresql.insert(table) if self._on_postgresql else sqlite.insert(table)
        self._upsert = Statement(_replacing(insert, table))
        many = insert.from_select(self._columns, sa.select(given_rows(list(table.columns))))
        self._upsert_many = Statement(_replacing(many, table))
        self._delete = Statement(sa.delete(table).where(*(column == sa.bindparam(column.name) for column in key)))

    def find(self, connection: sa.Connection, keys: Sequence[Key]) -> list[Row]:
        """The existing rows with these primary keys."""
        found = fetch(connection, self._find, {GIVEN: self._given(keys)})
        return [dict(zip(self._columns, row, strict=True)) for row in found]

    def upsert(self, connection: sa.Connection, rows: Sequence[Row]) -> None:
        """Insert or replace whole rows."""
        if self._on_postgresql and len(rows) > FEW:
            write(connection, self._upsert_many, [{GIVEN: rows}])
        else:
            write(connection, self._upsert, rows)

    def delete(self, connection: sa.Connection, keys: Sequence[Key]) -> None:
        """Delete the rows with these primary keys; missing ones are ignored."""
        write(connection, self._delete, self._rows(keys))

    def _given(self, keys: Sequence[Key]) -> Sequence[Any]:
        if self._on_postgresql:
            return self._rows(keys)
        return keys if len(self._key) > 1 else [key[0] for key in keys]

    def _rows(self, keys: Sequence[Key]) -> list[Row]:
        return [dict(zip(self._key, key, strict=True)) for key in keys]


keyed = cache(KeyedRows)


def _among_given(table: sa.Table) -> sa.Select[Any]:
    key = table.primary_key.columns
    return matching(table, list(key), lambda given: sa.and_(*(column == given[column.name] for column in key)))


def _among_parameters(table: sa.Table) -> sa.Select[Any]:
    key = list(table.primary_key.columns)
    wanted = sa.bindparam(GIVEN, expanding=True)
    return sa.select(table).where((key[0] if len(key) == 1 else sa.tuple_(*key)).in_(wanted))


def _replacing(insert: postgresql.Insert | sqlite.Insert, table: sa.Table) -> sa.Insert:
    key = [str(column.name) for column in table.primary_key.columns]
    changes = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in key}
    if not changes:
        return insert.on_conflict_do_nothing(index_elements=key)
    return insert.on_conflict_do_update(index_elements=key, set_=changes)
