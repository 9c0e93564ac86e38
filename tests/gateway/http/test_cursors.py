"""A cursor that a list gave leads on, whatever is stored in the columns the list is sorted by."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import pytest
import sqlalchemy as sa
from fastapi import Response
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.http.context import ApiContext
from services.gateway.http.pages import LONGEST_CURSOR, decode, encode, page
from services.gateway.http.problems import Problem
from shared.contracts.risk import ListEntrySet
from shared.readside.batched_query import QueryRunner
from tests.databases import in_memory
from tests.gateway.builders import Shop, open_shop

TABLE = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("word", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
)
ODD = ("", "a/b#c:d", "\"'\\", "line\nbreak\r\t", "\u00a0\u200b\u3000", "卡密", "\U0001f600", "null", "\x7f", "a" * 520)
WORDS = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1)


def paged(rows: Sequence[tuple[str, int]], limit: int, *, ascending: bool) -> list[tuple[str, int]]:
    """Every row, page by page."""
    engine = in_memory()
    with engine.begin() as connection:
        TABLE.create(connection)
        if rows:
            connection.execute(TABLE.insert(), [{"word": word, "number": number} for word, number in rows])

    async def in_page_thread(make: Callable[..., Response], *arguments: Any) -> Response:
        return make(*arguments)

    reading, found, cursor = QueryRunner(engine), list[tuple[str, int]](), None
    context = cast(ApiContext, Mock(reading=reading, in_page_thread=in_page_thread))
    try:
        while True:
            by = (TABLE.c.word, TABLE.c.number)
            answer = asyncio.run(page(context, sa.select(TABLE), by, limit, cursor, ascending=ascending))
            whole = json.loads(bytes(answer.body))
            found += [(row["word"], row["number"]) for row in whole["items"]]
            cursor = whole["next"]
            if cursor is None:
                return found
            assert len(cursor) <= LONGEST_CURSOR
    finally:
        reading.close()
        engine.dispose()


@settings(max_examples=150)
@given(st.sets(st.tuples(WORDS, NUMBERS), max_size=8), st.integers(1, 3), st.booleans())
def test_pages_hold_every_row_once_whatever_is_stored(rows: set[tuple[str, int]], limit: int, up: bool) -> None:
    found = paged(sorted(rows), limit, ascending=up)

    assert sorted(found) == sorted(rows)


@given(st.lists(st.one_of(WORDS, NUMBERS, st.none(), st.booleans()), max_size=4))
def test_a_cursor_says_what_it_was_made_of(parts: list[Any]) -> None:
    assert decode(encode(parts)) == parts


def test_the_longest_text_fits_into_a_cursor() -> None:
    assert len(encode(["\U0001f600" * 520])) <= LONGEST_CURSOR


@pytest.mark.parametrize("parts", [["a"], ["a", "b"], [1, 1], ["a", 2**63], ["a", True], ["a", None], ["\x00", 1], {}])
def test_a_cursor_of_another_list_is_refused(parts: Any) -> None:
    with pytest.raises(Problem):
        asyncio.run(page(Mock(), sa.select(TABLE), (TABLE.c.word, TABLE.c.number), 1, encode(parts)))
    with pytest.raises(Problem):
        asyncio.run(page(Mock(), sa.select(TABLE), (TABLE.c.word, TABLE.c.number), 1, "IlxcdWQ4MDAi"))


def test_a_list_with_odd_entries_is_read_to_its_end(tmp_path: Path) -> None:
    shop: Shop = open_shop(tmp_path)
    values = ["Pixel\u00a07", "张 三", "a/b?c#d", "\U0001f600" * 200, "zero\u200bwidth", '"']
    for value in values:
        fields = {"list": "block", "dimension": "device", "value": value, "reason": "r", "until": None}
        shop.backend.happen(ListEntrySet(entry=f"device:{value}", **fields))
    found, cursor = [], None
    while True:
        query = {"limit": 1, **({"cursor": cursor} if cursor else {})}
        answer = shop.client.get("/v1/risk/lists", params=query, headers=shop.staff("operations"))
        assert answer.status_code == 200, answer.text
        found += [item["entry"] for item in answer.json()["items"]]
        cursor = answer.json()["next"]
        if cursor is None:
            break
    assert sorted(found) == sorted(f"device:{value}" for value in values)
