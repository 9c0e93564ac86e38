"""`kameng parked`: a poisonous message is parked; a person replays it once its cause is gone, or discards it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from cli import parked
from cli.parked import parked_rows, replay_all, substitute
from cli.places import Place
from shared.eventstore import log, log_reader
from shared.eventstore.engines import open_engine
from shared.eventstore.leadership import Leadership
from shared.runtime.embedded import InUse, lock_folder
from shared.writer.writer import Writer
from tests.cli.builders import SERVICES, cluster, folder
from tests.runtime.builders import (
    ManualClock,
    pressed,
    rows,
    start,
)
from tests.runtime.toy import (
    ToyLit,
    ToyPressed,
    heard,
    lamps,
)

_, LAMP = SERVICES
HEALED = replace(
    LAMP, reactions={**LAMP.reactions, ToyPressed: lambda event: heard(event.model_copy(update={"note": ""}))}
)
Kameng = Callable[..., Result]


@pytest.fixture(params=["folder", "cluster"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = folder(tmp_path) if request.param == "folder" else cluster(tmp_path, request.getfixturevalue("postgres"))
    for service in SERVICES:
        engine = open_engine(made.urls[service.name], writer=True)
        start(service, engine)
        engine.dispose()
    yield made
    for engine in made.logs.values():
        engine.dispose()


@pytest.fixture
def writer(place: Place) -> Iterator[Writer]:
    """A lamp's writer, with poison behind it: `a` waits with three messages, `b` with one."""
    engine = open_engine(place.urls["lamp"], writer=True)
    made = start(LAMP, engine)
    bad = "reaction-poison"
    made.process([pressed(1, ("a", bad), ("b", bad), ("a", ""), ("c", ""), ("a", ""))])
    yield made
    engine.dispose()


def waiting(place: Place) -> list[str]:
    with place.logs["lamp"].connect() as connection:
        return [row["id"] for row in parked_rows(connection)]


def lit(place: Place) -> dict[str, int]:
    return {row["lamp"]: row["lit"] for row in rows(place.logs["lamp"], lamps)}


@pytest.mark.usefixtures("writer")
def test_all_are_replayed_once_key_by_key_in_order(place: Place) -> None:
    order = waiting(place)
    assert [one.split("/")[1] for one in order] == ["1", "3", "5", "2"]

    with substitute(HEALED, place) as stand_in, place.logs["lamp"].connect() as connection:
        handled, failed = replay_all(stand_in, parked_rows(connection))
        again = stand_in.replay(order[0])

    assert (handled, failed, again) == (4, [], True)
    assert waiting(place) == []
    assert lit(place) == {"a": 3, "b": 1, "c": 1}
    lamps_lit = [
        one.event.lamp for one in log_reader.read_all(place.logs["lamp"], "lamp") if isinstance(one.event, ToyLit)
    ]
    assert lamps_lit == ["c", "a", "a", "a", "b"]


@pytest.mark.usefixtures("writer")
def test_what_fails_again_holds_its_key_back_and_no_other(place: Place) -> None:
    before = waiting(place)
    with substitute(LAMP, place) as stand_in, place.logs["lamp"].connect() as connection:
        handled, failed = replay_all(stand_in, parked_rows(connection))

    assert (handled, failed) == (0, [before[0], before[3]])
    assert waiting(place) == before


@pytest.mark.usefixtures("writer")
def test_a_discarded_message_lets_the_rest_go_on(place: Place) -> None:
    first, second, third, _ = waiting(place)

    with substitute(LAMP, place) as stand_in:
        assert not stand_in.discard(second), "it is not the first of its key"
        assert stand_in.discard(first)
        assert [stand_in.replay(second), stand_in.replay(third)] == [True, True]

    assert lit(place)["a"] == 2


@pytest.mark.parametrize("place", ["cluster"], indirect=True)
def test_a_writer_at_work_is_fenced_and_goes_on_after_a_start(place: Place, writer: Writer) -> None:
    with substitute(HEALED, place) as stand_in:
        assert stand_in.replay(waiting(place)[0])
        with pytest.raises(log.Fenced):
            writer.process([pressed(6, ("d", ""))])
        start(LAMP, writer.engine, ManualClock(datetime.now(UTC))).process([pressed(6, ("d", ""))])
        assert stand_in.replay(waiting(place)[0]), "fenced in turn, it starts anew"

    assert lit(place) == {"a": 1, "b": 1, "c": 1, "d": 1}


@pytest.mark.parametrize("place", ["cluster"], indirect=True)
def test_the_leader_is_made_to_start_over(place: Place) -> None:
    leader = Leadership(place.urls["lamp"].render_as_string(hide_password=False), "lamp", lambda: None)
    other = Leadership(place.urls["lamp"].render_as_string(hide_password=False), "lamp", lambda: None)
    assert leader.acquire()

    with substitute(LAMP, place):
        pass

    assert other.acquire()
    other.release()
    leader.release()


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    place = folder(tmp_path)
    with lock_folder(tmp_path), pytest.raises(InUse), substitute(LAMP, place):
        pass


@pytest.fixture
def kameng(place: Place) -> Kameng:
    """The command line over the toy services of a folder."""
    app = typer.Typer()
    app.add_typer(parked.app, name="parked")

    @app.callback()
    def _services(context: typer.Context) -> None:
        context.obj = SERVICES

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["parked", *arguments, "--var", str(place.var)])

    return run


@pytest.mark.usefixtures("writer")
@pytest.mark.parametrize("place", ["folder"], indirect=True)
def test_the_commands_list_show_refuse_and_discard(place: Place, kameng: Kameng) -> None:
    first, second, *others = waiting(place)

    listed = json.loads(kameng("list", "--json").stdout.splitlines()[-1])["parked"]
    shown = json.loads(kameng("show", "lamp", first).stdout)
    behind, failing = kameng("replay", "lamp", second), kameng("replay", "lamp", first)
    unknown, both = kameng("discard", "lamp", "nothing", "--yes"), kameng("replay", "lamp", first, "--all")
    kept, dropped = kameng("discard", "lamp", first), kameng("discard", "lamp", first, "--yes")
    rest = kameng("replay", "lamp", "--all")

    assert [one["id"] for one in listed] == [first, second, *others]
    assert shown["data"]["data"]["button"] == "a"
    assert (behind.exit_code, failing.exit_code, unknown.exit_code, both.exit_code) == (1, 1, 1, 2)
    assert (kept.exit_code, dropped.exit_code) == (1, 0)
    assert rest.exit_code == 1, "b is still poisonous"
    assert lit(place)["a"] == 2
