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

__all__ = ["engine", "new_database", "postgres", "postgres_url"]

settings.register_profile("unhurried", deadline=None)  # no test depends on a fast machine
settings.load_profile("unhurried")

# Processes that tests start, workers among them, import the same: what one has compiled, no other has to.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

_USUAL = structlog.get_config()["wrapper_class"]


# What takes minutes begins first, so that no worker is left alone with it at the end.
_LONG = ("acceptance", "simulation", "chaos", "subscriber", "observability")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.relative_to(Path(__file__).parent).parts[0] not in _LONG)


@pytest.fixture(autouse=True)
def _hears_every_line(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command that a test runs in this process says how much is logged from then on: for that test only."""
    monkeypatch.setattr(logs, "_written_from", logging.DEBUG)
    yield
    if structlog.get_config()["wrapper_class"] is not _USUAL:
        structlog.reset_defaults()
