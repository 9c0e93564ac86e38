"""Drained, ChainIntact and RebuildEqual. test_money tests that accounts agree."""

from __future__ import annotations

import pytest

from shared.eventstore.chain_check import Tampered
from shared.laws import chain_intact, drained, rebuild_equal
from shared.projections.rebuild import Difference, Verdict

INTACT = Verdict("order", 7, None, ())


def test_everything_has_come_to_rest() -> None:
    found = drained({"order": {"risk": 0, "ledger": 0}, "risk": {"order": 0}}, agenda=[], parked=[])

    assert (found.ok, found.checked) == (True, 3)


@pytest.mark.parametrize(
    ("lags", "agenda", "parked", "complaint"),
    [
        ({"order": {"risk": 2}}, [], [], "order is 2 behind risk"),
        ({}, ["ledger: open/o-1"], [], "is scheduled: ledger: open/o-1"),
        ({}, [], ["order: PlaceOrder.v1"], "is parked: order: PlaceOrder.v1"),
    ],
)
def test_what_rests_is_named(
    lags: dict[str, dict[str, int]], agenda: list[str], parked: list[str], complaint: str
) -> None:
    assert drained(lags, agenda, parked).violations == (complaint,)


def test_a_changed_log_is_named() -> None:
    assert chain_intact({"order": None, "risk": None}).ok
    assert chain_intact({"order": None, "risk": Tampered(4)}).violations == ("risk: the log was changed at position 4",)


@pytest.mark.parametrize(
    ("verdict", "complaint"),
    [
        (Verdict("order", 7, 3, ()), "order: the log was changed at position 3"),
        (Verdict("order", 7, None, (Difference("lines", ("[1]", "[2]"), 5),)), "order.lines: 5 rows differ ([1], [2])"),
        (Verdict("order", 7, None, (), ("order-o-1",)), "order: the snapshot of order-o-1 is stale"),
    ],
)
def test_a_rebuild_that_comes_out_otherwise_is_named(verdict: Verdict, complaint: str) -> None:
    found = rebuild_equal([INTACT, verdict])

    assert found.violations == (complaint,)
    assert found.checked == 14
    assert rebuild_equal([INTACT]).ok
