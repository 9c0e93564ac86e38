"""What subscribers read of each field."""

from __future__ import annotations

import pytest

from shared.contracts.inventory import StockShort
from shared.published.files import generated
from shared.published.kinds import kinds
from shared.published.schemas import Unsaid, schema
from shared.published.words import WORDS
from tests.published.builders import altered, files


def test_every_word_is_used_and_every_field_has_one() -> None:
    told = [schema(kind) for kind in kinds()]
    places = {(kind.name, field) for kind, one in zip(kinds(), told, strict=True) for field in one["properties"]}
    places |= {
        (name, field) for one in told for name, part in one.get("$defs", {}).items() for field in part["properties"]
    }

    used = {f"{cls}.{field}" if f"{cls}.{field}" in WORDS else field for cls, field in places}

    assert used == set(WORDS)


def test_what_is_made_is_the_same_each_time() -> None:
    assert generated(kinds()) == generated(kinds())


def test_a_field_without_a_meaning_is_named() -> None:
    with pytest.raises(Unsaid, match=r"StockShort.colour needs a meaning in shared/published/words.py"):
        files(altered(StockShort, colour=(str, "")))


def test_an_event_without_a_meaning_is_named() -> None:
    cls = altered(StockShort)
    cls.__doc__ = None

    with pytest.raises(Unsaid, match=r"class StockShort in shared/contracts/inventory.py needs a docstring"):
        files(cls)


def test_a_value_that_does_not_fit_is_named() -> None:
    with pytest.raises(Unsaid, match=r"do not fit: sku"):
        files(altered(StockShort, sku=(int, ...)))
