"""Old, new and unknown messages."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from shared.contracts import Command, Event, UnknownMessage, decode_command, decode_event, upcaster
from shared.contracts.ledger import Entry
from shared.contracts.registry import commands, events


class ToyParcelSent(Event, key="parcel", version=3):
    parcel: str
    grams: int
    tags: tuple[str, ...]


class ToySendParcel(Command, key="parcel"):
    parcel: str


class ToyBrokenChain(Event, key="parcel", version=3):
    parcel: str


@upcaster("ToyParcelSent", 1)
def _grams(body: dict[str, Any]) -> dict[str, Any]:
    return {"parcel": body["parcel"], "grams": body["kilograms"] * 1000}


@upcaster("ToyParcelSent", 2)
def _tags(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "tags": ["old"]}


@upcaster("ToyBrokenChain", 1)
def _nothing(body: dict[str, Any]) -> dict[str, Any]:
    return body


def test_messages_are_found_by_name() -> None:
    assert events()["ToyParcelSent"] is ToyParcelSent
    assert commands()["ToySendParcel"] is ToySendParcel
    assert "ToySendParcel" not in events()
    assert "ToyParcelSent" not in commands()
    assert ToyParcelSent.type() == "ToyParcelSent.v3"


@pytest.mark.parametrize(
    ("type_", "body", "expected"),
    [
        ("ToyParcelSent.v1", {"parcel": "p", "kilograms": 2}, ToyParcelSent(parcel="p", grams=2000, tags=("old",))),
        ("ToyParcelSent.v2", {"parcel": "p", "grams": 7}, ToyParcelSent(parcel="p", grams=7, tags=("old",))),
        ("ToyParcelSent.v3", {"parcel": "p", "grams": 7, "tags": []}, ToyParcelSent(parcel="p", grams=7, tags=())),
        ("ToyParcelSent.v3", {"parcel": "p", "grams": 7, "tags": [], "later": 1},
         ToyParcelSent(parcel="p", grams=7, tags=())),
    ],
)  # fmt: skip
def test_every_stored_version_is_read_as_the_current_one(type_: str, body: dict[str, Any], expected: Event) -> None:
    assert decode_event(type_, json.dumps(body)) == expected


@pytest.mark.parametrize(
    "type_", ["ToyParcelSent.v4", "ToyNothing.v1", "ToySendParcel.v1", "", "ToyParcelSent", "ToyBrokenChain.v1"]
)
def test_what_this_code_does_not_know_is_refused(type_: str) -> None:
    with pytest.raises(UnknownMessage):
        decode_event(type_, '{"parcel": "p"}')


def test_an_event_is_no_command() -> None:
    with pytest.raises(UnknownMessage):
        decode_command("ToyParcelSent.v3", "{}")


def test_a_body_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ValidationError):
        decode_event("ToyParcelSent.v3", '{"parcel": "p"}')


def test_every_event_with_postings_is_an_entry_of_the_books() -> None:
    assert set(get_args(Entry)) == {event for event in events().values() if "postings" in event.model_fields}
