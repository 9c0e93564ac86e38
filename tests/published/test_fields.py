"""What subscribers read of each field."""

from __future__ import annotations

import re
from typing import Annotated

import pytest
from pydantic import BaseModel, Field, create_model

from shared.contracts import Money, Value
from shared.contracts.base import Doc, Text
from shared.contracts.inventory import StockShort
from shared.published.event_versions import event_versions
from shared.published.fields import Unsaid, doc
from shared.published.files import generated
from tests.published.builders import altered, files


class Crate(Value):
    size: int


class Pallet(Value):
    crates: Annotated[tuple[Crate, ...], Doc("What stands on it.")]


Colour = Annotated[Text, Doc("Its colour.", "red")]


class Fence(Value):
    gate: Colour
    posts: Colour | None
    rails: Annotated[Colour | None, Doc("The colour of its rails.")] = None
    wire: Annotated[Colour, Doc("The colour of its wire.", "grey")] = Field(default="none", max_length=9)
    latch: tuple[Colour, ...]


@pytest.mark.parametrize(
    ("field", "meaning", "example"),
    [
        ("gate", "Its colour.", "red"),
        ("posts", "Its colour.", "red"),
        ("rails", "The colour of its rails.", "red"),
        ("wire", "The colour of its wire.", "grey"),
    ],
)
def test_a_field_means_what_it_says_else_what_its_type_says(field: str, meaning: str, example: str) -> None:
    said = doc(Fence, field)

    assert (said.meaning, said.example) == (meaning, example)


def test_a_list_means_nothing_because_its_items_do() -> None:
    with pytest.raises(Unsaid, match=r"Fence.latch in tests/published/test_fields.py needs a meaning"):
        doc(Fence, "latch")


def test_a_meaning_checks_nothing_and_costs_nothing() -> None:
    """Events are decoded tens of thousands of times a second: what is said of a field must not reach the decoder."""
    plain = create_model("Event", paint=(Text, ...), coats=(int | None, None), base=(Money, ...))
    documented = create_model(
        "Event",
        paint=(Colour, ...),
        coats=(Annotated[int | None, Doc("How many.", 2)], None),
        base=(Annotated[Money, Doc("What it costs.", 100)], ...),
    )

    assert _decoder(documented) == _decoder(plain)
    assert documented.model_json_schema() == plain.model_json_schema()


def _decoder(cls: type[BaseModel]) -> str:
    """How a model is decoded, without what tells one class from another."""
    return re.sub(r"'cls': <class [^>]*>|(?<=:)\d+", "", repr(cls.__pydantic_core_schema__))


def test_each_owner_says_what_the_streams_of_its_events_are_called_by() -> None:
    with pytest.raises(Unsaid, match=r"AGGREGATES in shared/contracts/inventory.py must say what a stream of line is"):
        files(altered(StockShort, key="line"))


def test_what_is_made_is_the_same_each_time() -> None:
    assert generated(event_versions()) == generated(event_versions())


def test_a_field_without_a_meaning_is_named() -> None:
    with pytest.raises(Unsaid, match=r"StockShort.colour in shared/contracts/inventory.py needs a meaning"):
        files(altered(StockShort, colour=(str, "")))


def test_a_field_of_a_part_without_a_meaning_is_named() -> None:
    with pytest.raises(Unsaid, match=r"Crate.size in tests/published/test_fields.py needs a meaning"):
        files(altered(StockShort, pallet=(Annotated[Pallet | None, Doc("What it stands on.")], None)))


def test_an_event_without_a_meaning_is_named() -> None:
    cls = altered(StockShort)
    cls.__doc__ = None

    with pytest.raises(Unsaid, match=r"class StockShort in shared/contracts/inventory.py needs a docstring"):
        files(cls)


def test_a_value_that_does_not_fit_is_named() -> None:
    with pytest.raises(Unsaid, match=r"do not fit: sku"):
        files(altered(StockShort, sku=(int, ...)))
