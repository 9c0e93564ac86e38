"""The simulation finds what it is there to find."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.case import Case
from tests.simulation.planted import PLANTED, Planted
from tests.simulation.run import Ran, run

WITHIN_SEEDS = 200


def first_broken() -> Iterator[Ran]:
    for seed in range(1, WITHIN_SEEDS + 1):
        ran = run(Case(str(seed)))
        if ran.broken:
            yield ran


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught_by_its_law(bug: Planted) -> None:
    with bug.switch():
        ran = next(first_broken(), None)

    assert ran is not None, f"{WITHIN_SEEDS} seeds did not show it"
    assert bug.laws & set(ran.broken), ran.trace
