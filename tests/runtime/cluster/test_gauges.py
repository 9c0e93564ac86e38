"""What a writer looks up at scrapes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from shared.eventstore import schema
from shared.eventstore.engines import open_engine
from shared.runtime.cluster.gauges import Gauges
from shared.runtime.settings import Settings
from shared.telemetry.metric import Sample, Section
from tests.runtime.toy import button


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    """A database that knows no statistics: SQLite."""
    opened = open_engine(f"sqlite:///{tmp_path}/button.sqlite3", writer=False)
    schema.metadata.create_all(opened)
    return opened


def agenda(engine: sa.Engine, key: str, **more: Any) -> None:
    row = {"key": key, "kind": "effect", "name": "n", "payload": "{}", "meta": "{}", "token": key, "attempts": 0}
    with engine.begin() as connection:
        connection.execute(sa.insert(schema.agenda).values(row | more))


SECTION = Section("What happened")
ASKED = SECTION.metric("asked", "gauge", "times", "", "How often this was asked.")


def gauge_values(figures: Gauges) -> dict[str, float]:
    return {metric.name: value for metric, _, value in figures.look()}


def test_the_agenda_is_as_late_as_its_oldest_item_that_waits(engine: sa.Engine) -> None:
    agenda(engine, "1", state="waiting", due_at="2026-01-01T00:00:00+00:00")
    agenda(engine, "2", state="waiting", due_at="9999-01-01T00:00:00+00:00")
    agenda(engine, "3", state="failed", due_at="2020-01-01T00:00:00+00:00")

    found = gauge_values(Gauges(button(), Settings(), engine))

    assert (found["kameng_agenda_waiting"], found["kameng_agenda_failed"]) == (2, 1)
    assert 0 < found["kameng_agenda_overdue_seconds"] < 3e9


def test_an_agenda_that_is_ahead_of_its_time_is_not_late(engine: sa.Engine) -> None:
    agenda(engine, "1", state="waiting", due_at="9999-01-01T00:00:00+00:00")

    assert gauge_values(Gauges(button(), Settings(), engine))["kameng_agenda_overdue_seconds"] == 0


def test_a_gauge_that_can_not_be_looked_up_is_left_out_and_the_rest_are_there(engine: sa.Engine) -> None:
    found = gauge_values(Gauges(button(), Settings(), engine))

    assert found["kameng_database_up"] == 0
    assert "kameng_database_size_bytes" not in found
    assert found["kameng_agenda_waiting"] == 0


def test_a_figure_is_not_looked_up_again_at_once(engine: sa.Engine) -> None:
    asked: list[datetime] = []

    def count(connection: sa.Connection, now: datetime, settings: Settings) -> Iterable[Sample]:
        asked.append(now)
        yield ASKED, (), len(asked)

    figures = Gauges(replace(button(), gauges=count), Settings(), engine)

    assert [gauge_values(figures)["kameng_asked"] for _ in range(3)] == [1, 1, 1]
    assert len(asked) == 1
