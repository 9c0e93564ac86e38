"""Fixtures that every test may ask for."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import structlog
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

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
    "acceptance/cluster",
    "simulation/test_simulation.py",
    "chaos/test_chaos.py",
    "observability/test_running.py",
    "acceptance/test_kill.py",
    "simulation/test_planted.py",
    "acceptance/bad_input",
    *("acceptance", "deploy", "observability", "simulation", "runtime", "subscriber", "broker", "upgrade", "telemetry"),
)
_SHARING = ("tests/acceptance/cluster/", "tests/acceptance/bad_input/")
_HERE = Path(__file__).parent
_RANK = {name: rank for rank, name in enumerate(_LONG)}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        mark(item)
        if SCALE != 1:
            own = item.get_closest_marker("timeout")
            seconds = float(own.args[0] if own else config.getini("timeout"))
            item.add_marker(pytest.mark.timeout(SCALE * seconds), append=False)
    items.sort(key=lambda item: _rank(item.path))


@cache
def _rank(file: Path) -> int:
    path = file.relative_to(_HERE)
    return min(_RANK.get(part.as_posix(), len(_RANK)) for part in (path, *path.parents))


class _Together(LoadFileScheduling):
    """Gives a file to one worker, and all files of a folder whose tests share what takes long to start."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((folder for folder in _SHARING if file.startswith(folder)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    return _Together(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(autouse=True)
def _hears_every_line(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command that a test runs in this process says how much is logged from then on: for that test only."""
    monkeypatch.setattr(logs, "_written_from", logging.DEBUG)
    yield
    if structlog.get_config()["wrapper_class"] is not _USUAL:
        structlog.reset_defaults()
