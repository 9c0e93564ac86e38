"""Fixtures that every test may ask for."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from shared.telemetry import logs
from tests.databases import engine, new_database, postgres, postgres_url
from tests.marks import mark
from tests.waiting import SCALE

__all__ = ["engine", "new_database", "postgres", "postgres_url"]

settings.register_profile("unhurried", deadline=None)  # no test depends on a fast machine
settings.load_profile("unhurried")

# Processes that tests start, workers among them, import the same: what one has compiled, no other has to.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

_USUAL = structlog.get_config()["wrapper_class"]


# What takes minutes begins first, the longest ahead, so that no worker is left alone with it at the end.
_LONG = (
    "acceptance/test_cluster.py",
    "simulation/test_simulation.py",
    "acceptance/test_heal.py",
    "simulation/test_planted.py",
    "chaos/test_chaos.py",
    "observability/test_running.py",
    "subscriber/test_cluster.py",
    *("acceptance", "observability", "simulation", "subscriber", "runtime", "broker", "upgrade", "telemetry"),
)
_RANK = {name: rank for rank, name in enumerate(_LONG)}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        mark(item)
        if SCALE != 1:
            own = item.get_closest_marker("timeout")
            seconds = float(own.args[0] if own else config.getini("timeout"))
            item.add_marker(pytest.mark.timeout(SCALE * seconds), append=False)
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    path = item.path.relative_to(Path(__file__).parent)
    return _RANK.get(path.as_posix(), _RANK.get(path.parts[0], len(_RANK)))


@pytest.fixture(autouse=True)
def _hears_every_line(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command that a test runs in this process says how much is logged from then on: for that test only."""
    monkeypatch.setattr(logs, "_written_from", logging.DEBUG)
    yield
    if structlog.get_config()["wrapper_class"] is not _USUAL:
        structlog.reset_defaults()
