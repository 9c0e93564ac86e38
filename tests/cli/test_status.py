"""`kameng status` and `kameng topology`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.__main__ import SERVICES as ALL
from cli.__main__ import app
from cli.operating import Lag, Standing, standings_of
from cli.places import Place
from shared.eventstore import log
from shared.eventstore.engines import open_engine
from shared.eventstore.leadership import Leadership
from shared.runtime.embedded import database_url, lock_folder
from shared.runtime.service import Service
from shared.writer.writer import Writer
from tests.cli.builders import SERVICES, cluster, folder
from tests.runtime.builders import (
    START,
    ManualClock,
    press,
    presses,
    start,
)

BUTTON, LAMP = SERVICES


@pytest.fixture(params=["folder", "cluster"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = folder(tmp_path) if request.param == "folder" else cluster(tmp_path, request.getfixturevalue("postgres"))
    yield made
    for engine in made.logs.values():
        engine.dispose()


def standing_of(service: Service, place: Place, now: datetime) -> Standing:
    (found,) = standings_of([service], place, now)
    return found


@pytest.fixture
def writers(place: Place) -> Iterator[tuple[Writer, Writer]]:
    """Button and lamp; their clock stands at START."""
    engines = {name: open_engine(url, writer=True) for name, url in place.urls.items()}
    yield start(BUTTON, engines["button"], ManualClock()), start(LAMP, engines["lamp"], ManualClock())
    for engine in engines.values():
        engine.dispose()


def test_lag_is_given_in_events_and_seconds(place: Place, writers: tuple[Writer, Writer]) -> None:
    button_, lamp_ = writers
    button_.process([press("1"), press("2"), press("3")])
    lamp_.process([presses(1, "")])

    standing = standing_of(LAMP, place, START + timedelta(seconds=90))

    assert standing.lags == {"button": Lag(events=2, seconds=90)}
    assert standing_of(BUTTON, place, START).head == 3


def test_parked_keys_and_the_agenda_are_counted(place: Place, writers: tuple[Writer, Writer]) -> None:
    _, lamp_ = writers
    lamp_.process([presses(1, "reaction-poison", "", button="a"), presses(3, "later", button="b")])

    early, late = (standing_of(LAMP, place, START + timedelta(seconds=seconds)) for seconds in (60, 66))

    assert early.parked == 2
    assert (early.agenda_waiting, early.agenda_overdue, early.agenda_failed) == (1, 0, 0)
    assert (late.agenda_waiting, late.agenda_overdue) == (1, 1)
    assert any("2 parked under button:button-a" in reason for reason in late.waits_for)
    assert any("1 agenda items" in reason for reason in late.waits_for)


def test_a_folder_is_led_while_a_host_has_it(tmp_path: Path) -> None:
    place = folder(tmp_path)
    engine = open_engine(place.urls["button"], writer=True)
    start(BUTTON, engine)

    assert not standing_of(BUTTON, place, START).led
    with lock_folder(tmp_path):
        assert standing_of(BUTTON, place, START).led
    engine.dispose()


def test_a_cluster_service_is_led_while_its_writer_has_the_lock(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    place = cluster(tmp_path, request.getfixturevalue("postgres"))
    engine = open_engine(place.urls["button"], writer=True)
    start(BUTTON, engine)
    leader = Leadership(place.urls["button"].render_as_string(hide_password=False), "button", lambda: None)

    before = standing_of(BUTTON, place, START)
    assert leader.acquire()
    during = standing_of(BUTTON, place, START)
    leader.release()

    assert (before.led, during.led) == (False, True)
    assert before.waits_for == ["no writer is at work"]
    engine.dispose()


def test_a_database_that_is_not_reached_hides_none_of_the_others(
    place: Place, writers: tuple[Writer, Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    writers[0].process([press("1"), press("2")])
    away = open_engine("postgresql+psycopg://nobody:secret@127.0.0.1:1/lamp", writer=False)
    monkeypatch.setitem(place.logs, "lamp", away)

    whole, unread = standings_of(SERVICES, place, START)

    assert (whole.head, whole.parked, whole.is_whole) == (2, 0, True)
    assert (unread.head, unread.led, unread.parked, unread.agenda_waiting, unread.is_whole) == (*[None] * 4, False)
    assert "can't be reached" in unread.waits_for[0]
    assert "backup" not in unread.waits_for[0]
    assert "secret" not in unread.waits_for[0]


def test_the_topology_binds_each_inbox_to_the_logs_it_reads() -> None:
    ran = CliRunner().invoke(app, ["topology", "--json"])

    topology = json.loads(ran.stdout.splitlines()[-1])
    assert ran.exit_code == 0
    assert "kameng.log.order" in topology["queues"]["kameng.inbox.risk"]
    assert topology["queues"]["kameng.pulls.order"] == []
    assert len(topology["exchanges"]) == 7


def test_the_status_of_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    for options in ([], ["--cluster"]):
        ran = CliRunner().invoke(app, ["status", "--var", str(tmp_path), *options], env={"KAMENG_POSTGRES_URL": ""})
        assert ran.exit_code == 1


def test_the_status_is_printed_as_json(tmp_path: Path) -> None:
    for service in ALL:
        engine = open_engine(database_url(tmp_path, service.name), writer=True)
        with engine.begin() as connection:
            log.create(connection, service.sources())
        engine.dispose()

    ran = CliRunner().invoke(app, ["status", "--var", str(tmp_path), "--json"])

    status = json.loads(ran.stdout.splitlines()[-1])
    assert ran.exit_code == 0
    assert {one["service"]: one["head"] for one in status["services"]} == {service.name: 0 for service in ALL}
