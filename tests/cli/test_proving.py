"""`kameng verify` and `kameng rebuild` of one service, in a folder and in the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from rich.progress import Progress
from typer.testing import CliRunner

from cli.__main__ import app
from cli.places import Place
from cli.proving import proof_of, rebuild_service
from shared.eventstore import schema
from shared.eventstore.engines import open_engine
from shared.projections import versions
from tests.cli.builders import SERVICES, cluster, folder
from tests.runtime.builders import press, presses, start
from tests.runtime.toy import lamps

BUTTON, LAMP = SERVICES


@pytest.fixture(params=["folder", "cluster"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """The button was pressed twice; the lamp has heard of both."""
    made = folder(tmp_path) if request.param == "folder" else cluster(tmp_path, request.getfixturevalue("postgres"))
    for service, work in ((BUTTON, press("1", times=2)), (LAMP, presses(1, "", "later"))):
        engine = open_engine(made.urls[service.name], writer=True)
        start(service, engine).process([work])
        engine.dispose()
    yield made
    for engine in made.logs.values():
        engine.dispose()


def outdated(place: Place) -> list[str]:
    found = []
    for service in SERVICES:
        with place.logs[service.name].connect() as connection:
            if versions.is_outdated(connection, service.projection):
                found.append(service.name)
    return found


def agenda_of(place: Place) -> list[tuple[str, str]]:
    with place.logs["lamp"].connect() as connection:
        return [(row.key, row.due_at) for row in connection.execute(sa.select(schema.agenda))]


def change(place: Place, service: str, statement: sa.Update | sa.Delete) -> None:
    engine = open_engine(place.urls[service], writer=True)
    with engine.begin() as connection:
        connection.execute(statement)
    engine.dispose()


def test_a_damaged_table_is_found_and_rebuilt(place: Place) -> None:
    assert proof_of(LAMP, place.logs).ok
    change(place, "lamp", sa.update(lamps).values(lit=9))

    found = proof_of(LAMP, place.logs)
    with Progress() as bar:
        rebuild_service(LAMP, place, bar)

    assert not found.ok
    assert "lamp.lamps: 1 rows differ" in found.detail
    assert proof_of(LAMP, place.logs).ok


def test_an_agenda_that_was_emptied_is_found_and_planned_anew(place: Place) -> None:
    before = agenda_of(place)
    change(place, "lamp", sa.delete(schema.agenda))

    found = proof_of(LAMP, place.logs)
    with Progress() as bar:
        rebuild_service(LAMP, place, bar)

    assert not found.ok
    assert "lamp.agenda: 1 rows differ (dim/a)" in found.detail
    assert proof_of(LAMP, place.logs).ok
    assert (agenda_of(place), len(before)) == (before, 1)


def test_a_changed_log_proves_nothing(place: Place) -> None:
    change(place, "button", sa.update(schema.log).where(schema.log.c.position == 2).values(data="{}"))

    found = proof_of(LAMP, place.logs)

    assert not found.ok
    assert found.detail == "button: the log was changed at position 2"


def test_only_tables_of_another_version_are_outdated(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    before = outdated(place)
    monkeypatch.setattr(LAMP.projection, "version", LAMP.projection.version + 1)
    found = outdated(place)
    with Progress() as bar:
        rebuild_service(LAMP, place, bar)

    assert (before, found, outdated(place)) == ([], ["lamp"], [])


@pytest.mark.parametrize("command", ["verify", "rebuild"])
@pytest.mark.parametrize("options", [(), ("--cluster",)])
def test_what_is_not_there_is_named(tmp_path: Path, command: str, options: tuple[str, ...]) -> None:
    ran = CliRunner().invoke(app, [command, "order", "--var", str(tmp_path), *options])
    assert ran.exit_code == 1
    assert "holds no" in ran.stderr
