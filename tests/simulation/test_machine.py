"""Any order of the public commands keeps every law; where a law can be broken, some order is found that breaks it."""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from shared.laws import Violation
from tests.simulation.machine import Shop
from tests.simulation.planted.registry import Switch
from tests.simulation.planted.services import a_hold_is_captured_twice, stock_is_reserved_without_being_taken

SETTINGS = settings(max_examples=15, stateful_step_count=15, derandomize=True, database=None)
TestShop = Shop.TestCase
TestShop.settings = SETTINGS


@pytest.mark.parametrize(
    ("bug", "law"), [(a_hold_is_captured_twice, "OneCapture"), (stock_is_reserved_without_being_taken, "NoOversell")]
)
def test_a_planted_bug_is_found_by_its_law(bug: Switch, law: str) -> None:
    searching = settings(SETTINGS, phases=[Phase.generate], report_multiple_bugs=False)

    with bug(), pytest.raises(Violation, match=law):
        run_state_machine_as_test(Shop, settings=searching)
