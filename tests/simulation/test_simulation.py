"""Many seeds, none of which breaks a law, and all that ever broke one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.simulation.__main__ import REGRESSIONS
from tests.simulation.case import Case
from tests.simulation.run import Ran, run, shrink
from tests.simulation.sometimes import never

SEEDS, CHUNK = 150, 10


@pytest.fixture(scope="module")
def every_run() -> list[Ran]:
    return []


@pytest.mark.parametrize("first", range(1, SEEDS, CHUNK))
def test_every_law_holds(first: int, every_run: list[Ran]) -> None:
    for seed in range(first, first + CHUNK):
        ran = run(Case(str(seed)))
        every_run.append(ran)

        assert not ran.broken, (ran.case.command, *ran.trace)


def test_everything_that_can_happen_has_happened(every_run: list[Ran]) -> None:
    if len(every_run) < SEEDS:
        pytest.skip("only some of the seeds were run")

    outcomes = sum((ran.outcomes for ran in every_run), Counter[str]())
    faults = sum((ran.faults for ran in every_run), Counter[str]())

    assert never(outcomes, faults) == []


def test_what_once_broke_a_law_does_so_no_more() -> None:
    for line in REGRESSIONS.read_text().splitlines():
        ran = run(Case.parse(line))

        assert not ran.broken, (ran.case.command, *ran.trace)


def test_a_seed_runs_the_same_in_another_process_whatever_the_hashes() -> None:
    here = run(Case("12")).digest
    script = (
        "from tests.simulation.case import Case; from tests.simulation.run import run; print(run(Case('12')).digest)"
    )
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        said = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        assert said.stdout.splitlines()[-1] == here


def test_a_case_reads_back_as_it_was_written() -> None:
    case = Case("12", frozenset({"o-3", "lost"}))

    assert Case.parse(str(case)) == case
    assert case.command == "python -m tests.simulation --seed 12 --without lost --without o-3"


def test_a_part_that_is_left_out_does_not_occur() -> None:
    case = Case("12")
    parts = case.parts()

    assert set(case.less(*parts).parts()) == set()
    assert "o-1" in parts


def test_what_breaks_a_law_is_made_smaller() -> None:
    from tests.simulation.planted.services import a_hold_is_captured_twice

    with a_hold_is_captured_twice():
        ran = run(Case("1"))
        small = shrink(ran)

    assert small.broken.keys() == ran.broken.keys() == {"OneCapture"}
    assert len(small.case.parts()) < len(ran.case.parts()) / 4
