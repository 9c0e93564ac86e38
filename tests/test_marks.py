"""Each test is marked with what it needs, and what it waits for fails with its name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.marks import KINDS
from tests.waiting import wait_for


def marks_of(request: pytest.FixtureRequest) -> set[str]:
    return {mark.name for mark in request.node.iter_markers()} & {*KINDS, "postgres", "broker", "processes"}


def test_what_starts_processes_says_so(request: pytest.FixtureRequest) -> None:
    assert subprocess.__name__  # imported here
    assert marks_of(request) == {"integration", "processes"}


@pytest.mark.unit
def test_a_kind_that_is_given_stays(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    assert marks_of(request) == {"unit", "processes"}


def test_what_never_happens_is_named() -> None:
    with pytest.raises(AssertionError, match="rain did not happen"):
        wait_for(lambda: False, "rain", within=0)
