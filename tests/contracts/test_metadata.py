"""Metadata of what one message leads to."""

from __future__ import annotations

from shared.contracts import Metadata

PLACED = Metadata(site="two", correlation_id="flow", causation_id="command", actor="customer:ann")


def test_what_follows_keeps_the_flow_and_the_site_and_names_its_cause() -> None:
    assert PLACED.leading_on("event") == Metadata(
        site="two", correlation_id="flow", causation_id="event", actor="customer:ann"
    )
    assert PLACED.leading_on("event", "system:risk") == Metadata(
        site="two", correlation_id="flow", causation_id="event", actor="system:risk"
    )


def test_nothing_new_is_made_where_nothing_changes() -> None:
    assert PLACED.leading_on("command") is PLACED
