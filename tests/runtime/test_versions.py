"""Logs that hold what older and newer code has written, read by the writer, by a reader, by a rebuild, by the proof."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from rich.progress import Progress

from cli.places import Place
from cli.proofs import verify_service
from cli.proving import rebuild_service
from shared.contracts import Command, Metadata, UnknownMessage, registry
from shared.eventstore import log, log_reader
from shared.eventstore.divergence import SourceFault, reached_by
from shared.eventstore.engines import open_engine
from shared.eventstore.recorded import RecordedEvent
from shared.messages.messages import CommandMessage, EventBatch
from shared.messages.wire import decode, encode
from shared.writer.writer import Writer
from tests.cli.builders import SERVICES, cluster, folder
from tests.runtime.builders import (
    META,
    START,
    logged,
    parked,
    press,
    replies,
    rows,
    start,
    tells,
)
from tests.runtime.toy import (
    ToyLight,
    ToyLit,
    ToyPressed,
    ToyTint,
    ToyTinted,
    lamps,
)

BUTTON, LAMP = SERVICES
PAINTED = ("ToyTinted.v1", {"button": "a", "colour": "green"})


@pytest.fixture(params=["folder", "cluster"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = folder(tmp_path) if request.param == "folder" else cluster(tmp_path, request.getfixturevalue("postgres"))
    yield made
    for engine in made.logs.values():
        engine.dispose()


@pytest.fixture
def writers(place: Place) -> Iterator[tuple[Writer, Writer]]:
    """The button's and the lamp's."""
    engines = [open_engine(place.urls[service.name], writer=True) for service in SERVICES]
    yield start(BUTTON, engines[0]), start(LAMP, engines[1])
    for engine in engines:
        engine.dispose()


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code whose ToyPressed is of version 2, and knows that the first one called its note a label."""

    def lift(body: dict[str, Any]) -> dict[str, Any]:
        return {"button": body["button"], "note": body["label"]}

    monkeypatch.setattr(ToyPressed, "version", 2)
    monkeypatch.setitem(registry._upcasters, ("ToyPressed", 1), lift)  # pyright: ignore[reportPrivateUsage]


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Code that does not know ToyTinted; `undo` makes it the newer one."""
    find = registry._find  # pyright: ignore[reportPrivateUsage]

    def known(base: type[Any], name: str) -> type[Any]:
        if name == ToyTinted.__name__:
            raise UnknownMessage(name)
        return find(base, name)

    monkeypatch.setattr(registry, "_find", known)
    return monkeypatch


def painted(event: ToyTinted) -> list[Command]:
    return [ToyLight(lamp=event.button, press=event.button, note=event.colour)]


def other_code_wrote(place: Place, *events: tuple[str, dict[str, Any]], meta: Metadata = META) -> None:
    """Events of button `a` in its log, as type and body."""
    engine = open_engine(place.urls["button"], writer=True)
    with engine.begin() as connection:
        log.create(connection, [])
        head = log.read_head(connection)
        recorded = [
            RecordedEvent("button", n, "button-a", n, f"id-{n}", type_, json.dumps(body), meta.model_dump_json(), START)
            for n, (type_, body) in enumerate(events, head.position + 1)
        ]
        log.append(connection, head, recorded)
    engine.dispose()


def hear(lamp: Writer, place: Place) -> None:
    """The lamp applies all that is new in the button's log, as it comes over the wire."""
    with place.logs["button"].connect() as connection:
        events = log_reader.read(connection, "button", lamp.positions["button"], 100)
    part = decode(encode(EventBatch("button", events[0].position, events[-1].position, events)), lamp.heard)
    assert isinstance(part, EventBatch)
    lamp.process([part])


def lit(lamp: Writer) -> list[str]:
    return [event.note for event in logged(lamp) if isinstance(event, ToyLit)]


def spoil(place: Place) -> None:
    engine = open_engine(place.urls["lamp"], writer=True)
    with engine.begin() as connection:
        connection.execute(sa.update(lamps).values(presses=0))
    engine.dispose()


@pytest.mark.usefixtures("newer")
def test_an_old_version_is_read_everywhere_as_the_new_one(place: Place, request: pytest.FixtureRequest) -> None:
    other_code_wrote(
        place,
        ("ToyPressed.v1", {"button": "a", "label": "old"}),
        ("ToyPressed.v1", {"button": "a", "label": "older"}),
    )
    button, lamp = request.getfixturevalue("writers")

    (reply,) = replies(button, press("1", note="new"))
    hear(lamp, place)

    assert tells(reply) == ("accepted", {"presses": 3})
    assert logged(button) == [ToyPressed(button="a", note=note) for note in ("old", "older", "new")]
    assert lit(lamp) == ["old", "older", "new"]
    assert rows(lamp.engine, lamps) == [{"lamp": "a", "presses": 3, "lit": 3, "dimmed": 0}]
    assert [verify_service(service, place.logs).ok for service in SERVICES] == [True, True]

    spoil(place)
    assert not verify_service(LAMP, place.logs).ok
    with Progress(disable=True) as bar:
        rebuild_service(LAMP, place, bar)
    assert verify_service(LAMP, place.logs).ok
    assert rows(lamp.engine, lamps) == [{"lamp": "a", "presses": 3, "lit": 3, "dimmed": 0}]


@pytest.mark.usefixtures("older")
def test_a_new_field_and_a_new_event_are_nothing_to_an_old_reader(place: Place, writers: tuple[Writer, Writer]) -> None:
    other_code_wrote(
        place,
        ("ToyPressed.v1", {"button": "a", "note": "first", "colour": "red", "pressed_by": {"finger": 2}}),
        ("ToyTinted.v1", {"button": "a", "colour": "green"}),
        ("ToyPressed.v1", {"button": "a", "note": "last"}),
    )
    _, lamp = writers
    hear(lamp, place)

    assert lit(lamp) == ["first", "last"]
    assert lamp.positions == {"button": 3}
    assert parked(lamp) == []
    assert verify_service(LAMP, place.logs).ok
    assert lamp.unknown.counts == {"button": {"ToyTinted.v1": 1}}
    assert lamp.unknown.held == {}


@pytest.mark.usefixtures("older")
def test_events_that_are_passed_over_are_reported_with_their_source(
    place: Place, writers: tuple[Writer, Writer]
) -> None:
    other_code_wrote(place, PAINTED, PAINTED)
    _, lamp = writers
    hear(lamp, place)
    lamp.store_source_statuses()

    assert lamp.unknown.counts == {"button": {"ToyTinted.v1": 2}}
    with place.logs["lamp"].connect() as connection:
        assert reached_by(connection)["button"].fault == SourceFault(unknown=("ToyTinted.v1",))
    again = start(LAMP, lamp.engine)
    again.store_source_statuses()
    with place.logs["lamp"].connect() as connection:
        assert reached_by(connection)["button"].fault == SourceFault()


def test_an_essential_event_holds_an_old_reader_until_it_is_upgraded(
    place: Place, writers: tuple[Writer, Writer], older: pytest.MonkeyPatch
) -> None:
    other_code_wrote(place, ("ToyPressed.v1", {"button": "a", "note": "first"}))
    other_code_wrote(place, PAINTED, meta=META.of_essential())
    other_code_wrote(place, ("ToyPressed.v1", {"button": "a", "note": "last"}))
    _, lamp = writers
    hear(lamp, place)
    hear(lamp, place)
    lamp.store_source_statuses()

    assert lit(lamp) == ["first"]
    assert (lamp.positions, parked(lamp)) == ({"button": 1}, [])
    assert lamp.unknown.counts == {"button": {"ToyTinted.v1": 1}}
    held = str(lamp.unknown.held["button"])
    assert "lamp applies the log of button up to 1 only" in held
    assert "ToyTinted.v1" in held
    with place.logs["lamp"].connect() as connection:
        assert reached_by(connection)["button"].fault.held == held

    older.undo()
    upgraded = start(replace(LAMP, reactions={**LAMP.reactions, ToyTinted: painted}), lamp.engine)
    hear(upgraded, place)
    upgraded.store_source_statuses()

    assert lit(upgraded) == ["first", "green", "last"]
    assert (upgraded.positions, upgraded.unknown.held) == ({"button": 3}, {})
    with place.logs["lamp"].connect() as connection:
        assert reached_by(connection)["button"].fault == SourceFault()


def test_the_writer_of_an_essential_event_says_so_of_it_alone(place: Place, writers: tuple[Writer, Writer]) -> None:
    button, _ = writers
    button.process([CommandMessage("1", ToyTint(button="a", colour="green"), META)])
    replies(button, press("2"))

    events = list(log_reader.read_all(button.engine, "button"))
    assert [(one.name, one.is_essential, one.meta.essential) for one in events] == [
        ("ToyTinted", True, True),
        ("ToyPressed", False, False),
    ]
    assert not events[0].meta.leading_on(events[0].id).essential
    assert not events[0].meta.leading_on(events[0].meta.causation_id).essential


def test_a_new_field_in_its_own_log_is_nothing_to_an_old_writer(place: Place, request: pytest.FixtureRequest) -> None:
    other_code_wrote(place, ("ToyPressed.v1", {"button": "a", "note": "first", "colour": "red"}))
    button, _ = request.getfixturevalue("writers")

    assert tells(*replies(button, press("1"))) == ("accepted", {"presses": 2})
    assert verify_service(BUTTON, place.logs).ok


def test_a_version_that_is_too_new_waits_for_newer_code(place: Place, writers: tuple[Writer, Writer]) -> None:
    other_code_wrote(
        place, ("ToyPressed.v2", {"button": "a", "note": "first"}), ("ToyPressed.v1", {"button": "a", "note": "last"})
    )
    _, lamp = writers
    hear(lamp, place)

    assert lit(lamp) == []
    assert parked(lamp) == ["button/1/0", "button/2/0"]
