"""Pages of a list: the newest first, continued by an opaque cursor."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Query

from services.gateway.api.gate import Gate
from services.gateway.problems import Problem
from shared.hosting.reading import Row

MOST = 200
Limit = Annotated[int, Query(ge=1, le=MOST, description="The most items in one page.")]
Cursor = Annotated[
    str | None, Query(max_length=2_000, description="`next` of the page before; leave it out for the first.")
]


def encode(parts: Any) -> str:
    return urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).rstrip(b"=").decode()


def decode(cursor: str) -> Any:
    """What a cursor holds. Raises Problem (422) for text that is none."""
    try:
        return json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (Base64Error, ValueError, RecursionError):
        raise bad_cursor() from None


def bad_cursor() -> Problem:
    return Problem(422, "bad-cursor", "the cursor is not one that this list gave")


def _fits(part: object, column: sa.Column[Any]) -> bool:
    """Whether the database can compare this part with the column."""
    match part:
        case bool():
            return False
        case int():
            return column.type.python_type is int and abs(part) < 2**63
        case str():
            return column.type.python_type is str and part.isprintable()  # neither NUL nor half a character
        case _:
            return False


async def page(
    gate: Gate,
    statement: sa.Select[*tuple[Any, ...]],
    by: Sequence[sa.Column[Any]],
    limit: int,
    cursor: str | None,
    *,
    ascending: bool = False,
) -> tuple[Sequence[Row], str | None]:
    """One page of a statement in the order of the columns `by`, which must name a row, and the cursor to the next."""
    if cursor is not None:
        after = decode(cursor)
        if not isinstance(after, list) or len(after) != len(by) or not all(map(_fits, after, by)):
            raise bad_cursor()
        here, there = sa.tuple_(*by), sa.tuple_(*after)
        statement = statement.where(here > there if ascending else here < there)
    order = [column.asc() if ascending else column.desc() for column in by]
    rows = await gate.rows(statement.order_by(*order).limit(limit + 1))
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], encode([rows[limit - 1][column.name] for column in by])
