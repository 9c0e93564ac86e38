"""Many keys or rows in one statement on PostgreSQL: they are one JSON value, so it is always the same statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

GIVEN = "given"
Match = Callable[[sa.ColumnCollection[str, sa.ColumnElement[Any]]], sa.ColumnElement[bool]]


def given_rows(columns: Sequence[sa.ColumnElement[Any]]) -> sa.TableValuedAlias:
    """What is in the parameter `given`: a list of dictionaries of these columns, which hold text, numbers, truth values
    or JSON."""
    rows = sa.func.json_to_recordset(sa.bindparam(GIVEN, type_=sa.JSON))
    typed = (sa.column(column.name, column.type) for column in columns)
    return rows.table_valued(*typed, name=GIVEN).render_derived(name=GIVEN, with_types=True)


def matching(
    table: sa.Table, columns: Sequence[sa.ColumnElement[Any]], match: Match, shown: Sequence[sa.Column[Any]] = ()
) -> sa.Select[Any]:
    """The rows of a table (whole, or the columns to be shown) that match one of those given, of these columns."""
    given = given_rows(columns)
    # Each by itself (OFFSET 0): not knowing how many are given, the planner would rather read the whole table.
    found = (
        sa.select(*(shown or table.columns))
        .where(match(given.c))
        .offset(sa.literal_column("0"))
        .subquery("found")
        .lateral("found")
    )
    return sa.select(found).select_from(given.join(found, sa.true()))
