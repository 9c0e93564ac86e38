"""An event said in its earlier versions, for those who know nothing newer."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.contracts import Event, Former, UnknownMessage, downcaster, upcaster
from shared.contracts.registry import events, formers, has_upcaster, older, published_until
from shared.published.event_versions import EventVersion, event_versions
from shared.published.missing_steps import missing_steps
from tests.contracts.strategies import messages
from tests.contracts.test_messages import UNHURRIED

LAST_DAY = date(2026, 6, 30)


class ToyPainted(Event, key="fence", version=3):
    fence: str
    colours: tuple[str, ...]
    coats: int


class ToyPaintedV2(Former, of="ToyPainted", key="fence", version=2):
    fence: str
    colours: tuple[str, ...]


class ToyPaintedV1(Former, of="ToyPainted", key="fence", version=1):
    fence: str
    colour: str


@upcaster("ToyPainted", 1)
def _colours(body: dict[str, Any]) -> dict[str, Any]:
    return {"fence": body["fence"], "colours": [body["colour"]]}


@upcaster("ToyPainted", 2)
def _coats(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "coats": 1}


@downcaster("ToyPainted", 3, until=LAST_DAY)
def _without_coats(body: dict[str, Any]) -> dict[str, Any]:
    return body


@downcaster("ToyPainted", 2, until=LAST_DAY)
def _one_colour(body: dict[str, Any]) -> dict[str, Any]:
    return {"fence": body["fence"], "colour": next(iter(body["colours"]), "none")}


class ToyVarnished(Event, key="fence", version=2):
    fence: str


class ToyVarnishedV1(Former, of="ToyVarnished", key="fence", version=1):
    fence: str
    gloss: int


@downcaster("ToyVarnished", 2, until=LAST_DAY)
def _forgotten(body: dict[str, Any]) -> dict[str, Any]:
    return body


class ToyOiled(Event, key="fence", version=2):
    fence: str


@downcaster("ToyOiled", 2, until=LAST_DAY)
def _to_nothing(body: dict[str, Any]) -> dict[str, Any]:
    return body


def test_each_earlier_version_is_said_the_oldest_first() -> None:
    painted = ToyPainted(fence="f", colours=("red", "blue"), coats=2)

    assert older(painted) == [ToyPaintedV1(fence="f", colour="red"), ToyPaintedV2(fence="f", colours=("red", "blue"))]
    assert [one.type() for one in older(painted)] == ["ToyPainted.v1", "ToyPainted.v2"]
    assert {one.partition_key() for one in older(painted)} == {"f"}


def test_a_former_version_is_no_event_of_its_own() -> None:
    assert events()["ToyPainted"] is ToyPainted
    assert "ToyPaintedV1" not in events()
    assert formers()["ToyPainted", 1] is ToyPaintedV1
    assert published_until("ToyPainted", 2) == LAST_DAY
    assert published_until("ToyPainted", 3) is None


def test_an_event_of_one_version_is_said_in_no_other() -> None:
    assert older(events()["OrderCompleted"].model_construct()) == []


def test_what_does_not_fit_the_earlier_version_is_an_error() -> None:
    with pytest.raises(ValidationError):
        older(ToyVarnished(fence="f"))
    with pytest.raises(UnknownMessage, match=r"no class is ToyOiled\.v1"):
        older(ToyOiled(fence="f"))


@given(data=st.data())
@UNHURRIED
def test_whatever_an_event_holds_can_be_said_in_each_published_version(data: st.DataObject) -> None:
    ours = [
        version.cls
        for version in event_versions()
        if version.is_current and published_until(version.name, version.number - 1)
    ]
    for cls in [ToyPainted, *ours]:
        event = data.draw(messages(cls))
        assert [one.version for one in older(event)][-1] == event.version - 1


def test_the_contracts_have_no_gap() -> None:
    assert missing_steps(event_versions()) == []


def test_missing_steps_are_named() -> None:
    complete = [EventVersion("ToyPainted", cls) for cls in (ToyPainted, ToyPaintedV1, ToyPaintedV2)]
    assert missing_steps(complete) == []
    assert missing_steps(complete[:2]) == [
        "no class says what ToyPainted.v2 was: keep it in tests/contracts/test_versions.py as a Former"
    ]
    assert missing_steps(
        [EventVersion("ToyVarnished", ToyVarnished), EventVersion("ToyVarnished", ToyVarnishedV1)]
    ) == ['nothing lifts ToyVarnished.v1: logs hold it, write @upcaster("ToyVarnished", 1)']
    assert not has_upcaster("ToyVarnished", 1)
    assert missing_steps([EventVersion("ToyPainted", ToyPaintedV2)]) == [
        "ToyPaintedV2 says that it was ToyPainted.v2, which is not behind the newest version"
    ]
