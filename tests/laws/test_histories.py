"""Whole histories: every law holds however the logs are interleaved, and every event of them is needed."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import Event
from tests.laws.builders import broken, by_service, cancellation, sale, top_up

GOOD = {"sale": sale("o-1", 1), "top-up": top_up("o-1"), "cancellation": cancellation("o-1")}
PLACES = [(name, place) for name, events in GOOD.items() for place in range(len(events))]


def interleaved(events: list[Event], luck: random.Random) -> list[Event]:
    """The same logs, merged otherwise."""
    logs, merged = list(by_service(events).values()), []
    while logs := [log for log in logs if log]:
        merged.append(luck.choice(logs).pop(0))
    return merged


@given(st.randoms(use_true_random=False), st.lists(st.sampled_from((top_up, cancellation)), max_size=4))
def test_every_law_holds_in_any_interleaving(luck: random.Random, kinds: list[type]) -> None:
    events = sale("o-1", 1) + sale("o-2", 2)
    for number, kind in enumerate(kinds, start=3):
        events += kind(f"o-{number}")

    assert broken(*interleaved(events, luck), drained=True) == {}


@given(st.sampled_from(PLACES), st.randoms(use_true_random=False))
def test_an_event_that_is_missing_breaks_a_law(place: tuple[str, int], luck: random.Random) -> None:
    events = list(GOOD[place[0]])
    del events[place[1]]

    assert broken(*interleaved(events, luck), drained=True)


@pytest.mark.parametrize(("name", "place"), PLACES)
def test_an_event_that_happens_twice_breaks_a_law(name: str, place: int) -> None:
    events = GOOD[name]

    assert broken(*events[: place + 1], *events[place:], drained=True)
