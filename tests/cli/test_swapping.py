"""A rebuild on PostgreSQL while the service works: equal tables, one fence, nothing lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from cli.places import Place
from cli.proofs import verify_service
from shared.eventstore import log, log_reader, schema
from shared.eventstore.engines import open_engine
from shared.messages.messages import EventBatch
from shared.projections.online_rebuild import CannotRebuild, OnlineRebuild
from shared.projections.rebuild import positions
from shared.writer.writer import Writer
from tests.cli.builders import SERVICES, cluster
from tests.databases import NewDatabase
from tests.runtime.builders import (
    START,
    press,
    rows,
    start,
)
from tests.runtime.toy import lamps
from tests.waiting import PATIENCE

BUTTON, LAMP = SERVICES


@pytest.fixture
def place(tmp_path: Path, postgres: NewDatabase) -> Iterator[Place]:
    """The button's log holds 400 presses."""
    made = cluster(tmp_path, postgres)
    button_ = open_engine(made.urls["button"], writer=True)
    writer = start(BUTTON, button_)
    writer.process([press(str(n), button=f"b{n % 7}") for n in range(400)])
    yield made
    button_.dispose()
    for engine in made.logs.values():
        engine.dispose()


@pytest.fixture
def live(place: Place) -> Iterator[sa.Engine]:
    engine = open_engine(place.urls["lamp"], writer=True)
    yield engine
    engine.dispose()


def hear(writer: Writer, place: Place, limit: int) -> int:
    """The lamp applies a little more of the button's log. Returns how much."""
    with place.logs["button"].connect() as connection:
        events = log_reader.read(connection, "button", writer.positions["button"], limit)
    if events:
        writer.process([EventBatch("button", events[0].position, events[-1].position, events)])
    return len(events)


def swap(place: Place, live: sa.Engine) -> OnlineRebuild:
    return OnlineRebuild(
        "lamp",
        LAMP.projection,
        LAMP.foreign_event_names(),
        place.logs,
        live,
        lambda source, done, total: None,
        plans=LAMP.plans,
        now=START,
    )


def schemas(live: sa.Engine) -> set[str]:
    return set(sa.inspect(live).get_schema_names())


def test_a_damaged_table_is_repaired(place: Place, live: sa.Engine) -> None:
    hear(start(LAMP, live), place, 1000)
    right = rows(live, lamps)
    with live.begin() as connection:
        connection.execute(sa.update(lamps).where(lamps.c.lamp == "b1").values(lit=99))
        connection.execute(sa.delete(lamps).where(lamps.c.lamp == "b2"))
        connection.execute(sa.insert(schema.snapshots).values(stream="lamp-b1", version=1, fingerprint="", data="{}"))
    assert not verify_service(LAMP, place.logs).ok
    before, keys = schemas(live), sa.inspect(live).get_pk_constraint("lamps")

    assert swap(place, live).run() == 800

    assert rows(live, lamps) == right
    assert rows(live, schema.snapshots) == []
    assert verify_service(LAMP, place.logs).ok
    assert schemas(live) == before
    assert sa.inspect(live).get_pk_constraint("lamps") == keys
    assert len(sa.inspect(live).get_check_constraints("lamps")) == 1


def test_a_writer_at_work_is_fenced_once_and_loses_nothing(place: Place, live: sa.Engine) -> None:
    fenced, begun, swapped = [], threading.Event(), threading.Event()
    engine = open_engine(place.urls["lamp"], writer=True)

    def work() -> None:
        writer, turns, over = start(LAMP, engine), 0, False
        while not over:
            over = swapped.is_set()
            try:
                if not hear(writer, place, 1):
                    writer.process([])
            except log.Fenced:
                fenced.append(turns)
                writer, over = start(LAMP, engine), False
            turns += 1
            if turns == 20:
                begun.set()
        hear(writer, place, 1000)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(PATIENCE)
    swap(place, live).run()
    swapped.set()
    thread.join(PATIENCE)
    engine.dispose()

    assert not thread.is_alive()
    assert len(fenced) == 1
    with live.connect() as connection:
        assert positions(connection, "lamp") == {"lamp": 400, "button": 400}
    assert sum(row["lit"] for row in rows(live, lamps)) == 400
    assert verify_service(LAMP, place.logs).ok


def test_an_older_writer_commits_nothing_after_the_swap(place: Place, live: sa.Engine) -> None:
    writer = start(LAMP, live)
    hear(writer, place, 10)

    swap(place, live).run()

    with pytest.raises(log.Fenced):
        hear(writer, place, 10)
    hear(start(LAMP, live), place, 1000)
    assert verify_service(LAMP, place.logs).ok


def test_tables_in_use_are_waited_for_and_then_left(
    place: Place, live: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = start(LAMP, live)
    hear(writer, place, 10)
    monkeypatch.setattr("shared.projections.online_rebuild.PATIENCE_SECONDS", 0.5)
    with place.logs["lamp"].connect() as reading:
        reading.execute(sa.select(lamps)).all()
        with pytest.raises(CannotRebuild, match="in use"):
            swap(place, live).run()

    assert hear(writer, place, 10) == 10, "nobody was fenced"


def test_a_table_of_newer_code_is_left_alone(place: Place, live: sa.Engine) -> None:
    start(LAMP, live)
    with live.begin() as connection:
        connection.execute(sa.text("ALTER TABLE lamps ADD COLUMN colour text"))

    with pytest.raises(CannotRebuild, match="colour"):
        swap(place, live).run()
