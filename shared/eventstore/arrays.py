"""Passes many keys or rows to PostgreSQL as one JSON value, so that it is always the same prepared statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

GIVEN = "given"
Match = Callable[[sa.ColumnCollection[str, sa.ColumnElement[Any]]], sa.ColumnElement[bool]]


def given_rows(columns: Sequence[sa.ColumnElement[Any]]) -> sa.TableValuedAlias:
    """The parameter `given` as a table: a list of dictionaries of these columns, which hold text, numbers, booleans or
    JSON."""
    rows = sa.func.json_to_recordset(sa.bindparam(GIVEN, type_=sa.JSON))
    typed = (sa.column(column.name, column.type) for column in columns)
    return rows.table_valued(*typed, name=GIVEN).render_derived(name=GIVEN, with_types=True)


def matching(
    table: sa.Table, columns: Sequence[sa.ColumnElement[Any]], match: Match, shown: Sequence[sa.Column[Any]] = ()
) -> sa.Select[Any]:
    """The rows of a table that match one of the rows in `given` in these columns; all columns, or those `shown`."""
    given = given_rows(columns)
    # OFFSET 0 looks each row up by itself: the planner, which does not know how many there are, would scan the table.
    found = (
        sa.select(*(shown or table.columns))
        .where(match(given.c))
        .offset(sa.literal_column("0"))
        .subquery("found")
        .lateral("found")
    )
    return sa.select(found).select_from(given.join(found, sa.true()))
