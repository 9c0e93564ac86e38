"""Pages of a list: bounded by items and bytes, made in a thread, continued by an opaque cursor."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Annotated, Any, Generic, TypeVar

import sqlalchemy as sa
from fastapi import Query
from fastapi.responses import Response
from pydantic import BaseModel

from services.gateway.http.context import ApiContext
from services.gateway.http.problems import Problem
from shared.readside.batched_query import QueryRunner, Row

JSON = "application/json"
T = TypeVar("T")
MOST = 200
MOST_BYTES = 1_000_000
Limit = Annotated[int, Query(ge=1, le=MOST, description="The most items in one page.")]
# Long enough for the longest text that a list is sorted by: 520 characters of four bytes each.
LONGEST_CURSOR = 6_000
Cursor = Annotated[
    str | None,
    Query(max_length=LONGEST_CURSOR, description="`next` of the previous page; leave it out for the first."),
]


def encode(parts: Any) -> str:
    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decode(cursor: str) -> Any:
    """The content of a cursor. Raises Problem (422) for a text that is no cursor."""
    try:
        return json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (Base64Error, ValueError, RecursionError):
        raise bad_cursor() from None


def bad_cursor() -> Problem:
    return Problem(422, "bad-cursor", "the cursor was not made by this list")


def place(cursor: str, by: Sequence[sa.Column[Any]]) -> list[Any]:
    """The values of the columns `by` at a cursor. Raises Problem (422)."""
    after = decode(cursor)
    if not isinstance(after, list) or len(after) != len(by) or not all(map(_fits, after, by)):
        raise bad_cursor()
    return after


def _fits(part: object, column: sa.Column[Any]) -> bool:
    """Whether the database can compare this part with the column."""
    match part:
        case bool():
            return False
        case int():
            return column.type.python_type is int and abs(part) < 2**63
        case str():
            return column.type.python_type is str and is_text(part)
        case _:
            return False


def is_text(text: str) -> bool:
    """Whether every database can hold this text: it has no NUL and no lone surrogate."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


class Items:
    """The items of one page as JSON: at most `limit` items and `most_bytes` bytes. Only the first items taken may
    exceed that, and are then alone."""

    def __init__(self, limit: int, most_bytes: int | None = None) -> None:
        self._limit, self._most = limit, MOST_BYTES if most_bytes is None else most_bytes
        self._texts: list[bytes] = []
        self._size = 0

    def take(self, *texts: bytes) -> bool:
        """Add items that belong together. Returns False and adds none when they do not fit; the first always fit."""
        size = sum(map(len, texts)) + len(texts)
        if self._texts and (len(self._texts) >= self._limit or self._size + size > self._most):
            return False
        self._texts.extend(texts)
        self._size += size
        return True

    def answer(self, following: str | None, name: str = "items", **more: Any) -> Response:
        """The page, with the cursor to the next one and any further members."""
        rest = as_json({"next": following, **more})[1:]
        return Response(b'{"%s":[%s],%s' % (name.encode(), b",".join(self._texts), rest), media_type=JSON)


class Page(BaseModel, Generic[T]):
    """A page of a list. `next` is the cursor of the following page."""

    items: list[T]
    next: str | None


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


async def page(
    context: ApiContext,
    statement: sa.Select[*tuple[Any, ...]],
    by: Sequence[sa.Column[Any]],
    limit: int,
    cursor: str | None,
    *,
    ascending: bool = False,
    render: Callable[[Row], Any] = dict,
) -> Response:
    """One page of a statement's rows in the order of the columns `by`, which must identify a row.

    A thread reads and renders row by row, until there are `limit` items or MOST_BYTES.
    """
    if cursor is not None:
        here, there = sa.tuple_(*by), sa.tuple_(*place(cursor, by))
        statement = statement.where(here > there if ascending else here < there)
    order = [column.asc() if ascending else column.desc() for column in by]
    ordered = statement.order_by(*order).limit(limit + 1)
    return await context.in_page_thread(
        _page_of, context.reading, ordered, [column.name for column in by], limit, render
    )


def _page_of(
    reading: QueryRunner,
    statement: sa.Select[*tuple[Any, ...]],
    by: Sequence[str],
    limit: int,
    render: Callable[[Row], Any],
) -> Response:
    items, last = Items(limit), {}
    with closing(reading.stream(statement)) as rows:
        for row in rows:
            if not items.take(as_json(render(row))):
                return items.answer(encode([last[name] for name in by]))
            last = row
    return items.answer(None)
