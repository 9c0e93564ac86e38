"""Metadata of what one message leads to."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from shared.contracts import Metadata

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PLACED = Metadata(site="two", correlation_id="flow", causation_id="command", actor="customer:ann")


def test_what_follows_keeps_the_flow_and_the_site_and_names_its_cause() -> None:
    assert PLACED.leading_on("event") == Metadata(
        site="two", correlation_id="flow", causation_id="event", actor="customer:ann"
    )
    assert PLACED.leading_on("event", "system:risk") == Metadata(
        site="two", correlation_id="flow", causation_id="event", actor="system:risk"
    )


def test_the_span_that_led_here_is_kept_until_another_does() -> None:
    traced = PLACED.model_copy(update={"traceparent": TRACEPARENT})

    assert traced.leading_on("event", "system:risk").traceparent == TRACEPARENT
    assert Metadata.model_validate_json(traced.model_dump_json()) == traced
    assert traced.model_dump_json().endswith(f',"traceparent":"{TRACEPARENT}"}}')


def test_where_nobody_traces_the_json_is_what_it_always_was() -> None:
    stored = '{"site":"two","correlation_id":"flow","causation_id":"command","actor":"customer:ann"}'

    assert PLACED.model_dump_json() == stored
    assert Metadata.model_validate_json(stored) == PLACED


@pytest.mark.parametrize("text", ["", "00-1-2-01", TRACEPARENT.upper(), f"{TRACEPARENT}-more", f"01{TRACEPARENT[2:]}"])
def test_what_is_no_traceparent_is_not_taken_for_one(text: str) -> None:
    with pytest.raises(ValidationError):
        Metadata(correlation_id="flow", causation_id="command", traceparent=text)


def test_nothing_new_is_made_where_nothing_changes() -> None:
    assert PLACED.leading_on("command") is PLACED
