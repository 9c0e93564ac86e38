"""Folders that are damaged in twenty ways: every command says what is wrong and where, and none ends in a traceback."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import structlog
from typer.testing import CliRunner, Result

from cli import common
from cli.__main__ import SERVICES, app
from shared.eventstore.engines import open_engine
from shared.runtime.embedded import database_url, lock_folder
from shared.runtime.file_upgrade import upgrade_files
from tests.upgrade.written import unpack

Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop's folder, of this version."""
    var = unpack(tmp_path_factory.mktemp("sound"))
    engines = {service.name: open_engine(database_url(var, service.name), writer=True) for service in SERVICES}
    upgrade_files(SERVICES, engines, engines, datetime.now(UTC))
    for engine in engines.values():
        engine.dispose()
    return var


def kameng(var: Path, *arguments: str) -> Result:
    # A console that is first made within a command of another test keeps the width of that one's environment.
    with mock.patch.object(common.console, "_width", 400):
        try:
            return CliRunner().invoke(app, [*arguments, "--var", str(var)])
        finally:
            structlog.reset_defaults()  # a command may log to a stream that is closed by now


def sql(service: str, *statements: str) -> Damage:
    def run(var: Path) -> None:
        with closing(sqlite3.connect(var / f"{service}.sqlite3")) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    return run


def file(service: str, change: Callable[[bytes], bytes]) -> Damage:
    def run(var: Path) -> None:
        path = var / f"{service}.sqlite3"
        path.write_bytes(change(path.read_bytes()))

    return run


def swapped(var: Path) -> None:
    one, other = var / "order.sqlite3", var / "risk.sqlite3"
    one.rename(var / "aside")
    other.rename(one)
    (var / "aside").rename(other)


DROPPED = "DELETE FROM log WHERE position = (SELECT max(position) FROM log)"
BACK = (
    "UPDATE head SET position = last.position, hash = last.hash, at = last.at FROM "
    "(SELECT * FROM log ORDER BY position DESC LIMIT 1) AS last"
)
DAMAGED: dict[str, tuple[Damage, str]] = {
    "a file that is missing": (lambda var: (var / "risk.sqlite3").unlink(), "holds no data of risk"),
    "a file that is empty": (file("risk", lambda _: b""), "risk: its database can't be read (no such table"),
    "a file that is cut off": (file("order", lambda held: held[: len(held) // 2]), "order: its database can't be read"),
    "a file of something else": (file("order", lambda _: b"nothing of ours" * 500), "file is not a database"),
    "a table that is missing": (sql("inventory", "DROP TABLE key_index"), "inventory"),
    "an agenda that is missing": (
        sql("ledger", "DROP TABLE agenda"),
        "ledger can't be rebuilt: its database",
    ),
    "secrets that are missing": (lambda var: shutil.rmtree(var / "secrets"), "fulfillment-sealing is missing"),
    "other secrets": (
        lambda var: (var / "secrets" / "fulfillment-sealing").write_bytes(bytes(32)),
        "fulfillment-sealing does not open the keys that were loaded last",
    ),
    "a log that is missing": (sql("ledger", "DROP TABLE log"), "ledger: its database can't be read (no such table"),
    "readers that are missing": (sql("ledger", "DROP TABLE readers"), "ledger"),
    "a head that is missing": (sql("order", "DELETE FROM head"), "order"),
    "a head behind the log": (sql("order", "UPDATE head SET position = position - 3"), "order: the log was changed"),
    "a head that is no number": (sql("order", "UPDATE head SET position = 'abc'"), "order: "),
    "a head of nonsense": (sql("order", "UPDATE head SET hash = 'x', at = 'junk'"), "order: "),
    "an event of no time": (sql("order", "UPDATE log SET at = 'yesterday' WHERE position = 5"), "order: "),
    "a reader that is no number": (sql("risk", "UPDATE readers SET position = 'abc'"), "risk"),
    "the last event deleted": (
        sql("order", DROPPED, BACK),
        "its last 1 events are lost",
    ),
    "a checkpoint ahead of the head": (
        sql("order", "DELETE FROM checkpoints", "INSERT INTO checkpoints VALUES ('publisher', 999999)"),
        "the publisher of order has handed on its log up to 999999",
    ),
    "a reader ahead of the head": (
        sql("risk", "UPDATE readers SET position = 999999 WHERE source = 'order'"),
        "risk has applied the log of order up to 999999",
    ),
    "a reader of another event": (
        sql("risk", "UPDATE readers SET hash = x'00' WHERE source = 'order'"),
        "risk has applied another event at",
    ),
    "an event that was changed": (
        sql("order", "UPDATE log SET data = replace(data, '1', '2') WHERE position = 5"),
        "order: the log was changed at position 5",
    ),
    "data that are no JSON": (
        sql("order", "UPDATE log SET data = '{garbage' WHERE position = 5"),
        "order: the log was changed at position 5",
    ),
    "an event that is missing": (
        sql("order", "DELETE FROM log WHERE position = 7"),
        "order: the log was changed at position 7",
    ),
    "a snapshot of nonsense": (
        sql("order", "INSERT OR REPLACE INTO snapshots SELECT stream, 1, 'x', '{' FROM log WHERE position = 1"),
        "",
    ),
    "a table that was changed": (sql("ledger", "UPDATE accounts SET posted = posted + 1"), "accounts"),
    "two files swapped": (swapped, "order"),
    "an agenda of nonsense": (sql("order", "UPDATE agenda SET payload = '{'"), ""),
}


@pytest.fixture
def var(sound: Path, tmp_path: Path) -> Path:
    return shutil.copytree(sound, tmp_path / "var")


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_folder_is_reported(var: Path, name: str) -> None:
    damage, expected = DAMAGED[name]
    damage(var)

    ran = kameng(var, "verify")
    said = " ".join((ran.stdout + ran.stderr).split())

    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    assert (expected.replace("\n", " ") in said) == bool(said)
    assert ran.exit_code == (1 if expected else 0), said


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize(
    "command",
    [
        ("status",), ("verify", "order"), ("rebuild", "risk"), ("parked", "list"),
        ("events", "order", "--limit", "20"), ("order", "show", "9c3a3487-1c77-58d5-aa10-3c9c6d686eba"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_no_command_ends_in_a_traceback(var: Path, name: str, command: tuple[str, ...]) -> None:
    DAMAGED[name][0](var)

    ran = kameng(var, *command)

    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception


UNREAD = {
    "a file that is missing": {"risk": "its file is missing; restore it from a backup"},
    "a file that is empty": {"risk": "its database can't be read (no such table"},
    "a file that is cut off": {"order": "its database can't be read"},
    "a file of something else": {"order": "file is not a database"},
    "a log that is missing": {"ledger": "its database can't be read (no such table"},
    "a head that is no number": {"order": "restore it from a backup"},
    "two files swapped": {"order": "this is the database of risk", "risk": "this is the database of order"},
}


@pytest.mark.parametrize("name", UNREAD)
def test_the_status_of_sound_services_is_shown_beside_one_that_can_not_be_read(
    sound: Path, var: Path, name: str
) -> None:
    whole = standings(kameng(sound, "status", "--json"))
    DAMAGED[name][0](var)

    ran = kameng(var, "status", "--json")

    found = standings(ran)
    assert ran.exit_code == 1
    for service, standing in found.items():
        figures = {key: value for key, value in standing.items() if key not in ("service", "lags", "waits_for")}
        if service in UNREAD[name]:
            assert (set(figures.values()), standing["lags"]) == ({None}, {})
            assert UNREAD[name][service] in standing["waits_for"][0]
            assert f"{service}: {standing['waits_for'][0]}" in ran.stdout
        else:
            assert figures.items() <= whole[service].items()
            unknown = {source for source, lag in standing["lags"].items() if lag is None}
            assert unknown == standing["lags"].keys() & UNREAD[name].keys()
            assert all(
                any(f"behind {source} is not known" in one for one in standing["waits_for"]) for source in unknown
            )
    rows = [line.split("│")[1:-1] for line in ran.stdout.splitlines() if line.startswith("│")]
    assert all(
        {cell.strip() for cell in cells} == {"unknown 未知"}
        for service, *cells in rows
        if service.strip() in UNREAD[name]
    )


def standings(ran: Result) -> dict[str, Any]:
    return {one["service"]: one for one in json.loads(ran.stdout.splitlines()[-1])["services"]}


def test_what_is_parked_in_sound_services_is_listed_beside_one_that_can_not_be_read(var: Path) -> None:
    sql("risk", "INSERT INTO parked VALUES ('p1', 1, 'k', 'event', 'T.v1', '{}', '{}', '2026-01-01', 'why')")(var)
    DAMAGED["a file that is cut off"][0](var)

    ran = kameng(var, "parked", "list", "--json")

    listing = json.loads(ran.stdout.splitlines()[-1])
    assert ran.exit_code == 1
    assert [(one["service"], one["id"]) for one in listing["parked"]] == [("risk", "p1")]
    assert "its database can't be read" in listing["unread"]["order"]
    assert "order: its database can't be read" in ran.stderr


def test_the_events_of_a_sound_service_are_shown_where_another_file_is_missing(var: Path) -> None:
    DAMAGED["a file that is missing"][0](var)

    assert kameng(var, "events", "order", "--limit", "1").exit_code == 0
    assert "holds no data of risk" in kameng(var, "events", "risk").stderr
    assert not (var / "risk.sqlite3").exists()


@pytest.mark.parametrize("service", ["order", "risk", "all", "outdated"])
def test_nothing_is_rebuilt_from_the_database_of_another_service(var: Path, service: str) -> None:
    swapped(var)
    before = (var / "risk.sqlite3").read_bytes()

    ran = kameng(var, "rebuild", service)

    assert ran.exit_code == 1
    assert "risk: its log holds events of order" in ran.stderr
    assert "Nothing is rebuilt from it" in ran.stderr
    assert (var / "risk.sqlite3").read_bytes() == before


@pytest.mark.parametrize("type_", ["OrderPlaced.v9", "OrderDreamt.v1", "nonsense"])
def test_an_event_that_this_version_does_not_know_is_named(var: Path, type_: str) -> None:
    """Newer code wrote it: the chain is whole."""
    from shared.eventstore import log
    from shared.eventstore.recorded import RecordedEvent

    engine = open_engine(database_url(var, "order"), writer=True)
    with engine.begin() as connection:
        head = log.read_head(connection)
        meta = '{"correlation_id":"c","causation_id":"c"}'
        at = head.position + 1
        log.append(connection, head, [RecordedEvent("order", at, "order-x", 1, "id-x", type_, "{}", meta, head.at)])
    engine.dispose()

    ran = kameng(var, "verify")
    said = " ".join((ran.stdout + ran.stderr).split())

    assert ran.exit_code == 1
    assert f"order: the event at position {at} ({type_}) can't be read" in said
    assert "every key delivered at most once" in said  # the other proofs are still shown
    for command in (("status",), ("events", "order", "--after", str(head.position)), ("rebuild", "order")):
        assert not isinstance(kameng(var, *command).exception, Exception)


def test_a_folder_of_the_version_before_is_named(tmp_path: Path) -> None:
    var = unpack(tmp_path)

    ran = kameng(var, "verify")
    said = " ".join((ran.stdout + ran.stderr).split())

    assert isinstance(ran.exception, SystemExit)
    assert "its tables are of another version" in said
    assert kameng(var, "status").exit_code == 0


def test_a_folder_in_use_is_looked_at_and_not_rebuilt(var: Path) -> None:
    with lock_folder(var):
        assert kameng(var, "verify").exit_code == 0
        ran = kameng(var, "rebuild", "order")

    assert (ran.exit_code, "another process works on" in ran.stderr) == (1, True)


def test_a_verdict_counts_what_was_walked(var: Path) -> None:
    ran = kameng(var, "verify", "risk")

    with closing(sqlite3.connect(var / "risk.sqlite3")) as connection:
        (walked,) = connection.execute(
            "SELECT sum(position) FROM (SELECT position FROM readers UNION ALL SELECT position FROM head)"
        ).fetchone()
    assert ran.exit_code == 0
    assert f"{walked} events" in ran.stdout


@pytest.mark.parametrize("name", ["an agenda that is missing", "secrets that are missing"])
def test_what_can_not_be_made_again_is_not_made_by_a_start(var: Path, name: str) -> None:
    DAMAGED[name][0](var)

    ran = kameng(var, "serve", "--port", "0")

    assert ran.exit_code == 1
    assert "a backup" in ran.stdout + ran.stderr
    assert not (var / "secrets" / "fulfillment-sealing").exists() or name.startswith("an agenda")
