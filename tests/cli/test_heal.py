"""`kameng heal` and `kameng lost`: a folder whose `order` was restored from an older backup goes on."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shared.eventstore import chain_check
from shared.eventstore.engines import open_engine
from shared.runtime.embedded import database_url, lock_folder
from tests.cli.test_damaged import kameng, sound

__all__ = ["sound"]


def head_of(var: Path) -> int:
    with closing(sqlite3.connect(var / "order.sqlite3")) as connection:
        return connection.execute("SELECT position FROM head").fetchone()[0]


@pytest.fixture
def var(sound: Path, tmp_path: Path) -> Path:
    """A shop whose log of orders lost its last third; its tables and agenda are left as they are."""
    copied = shutil.copytree(sound, tmp_path / "var")
    kept = 2 * head_of(copied) // 3
    with closing(sqlite3.connect(copied / "order.sqlite3")) as connection:
        connection.execute("DELETE FROM log WHERE position > ?", [kept])
        connection.execute("DELETE FROM snapshots")
        connection.execute(
            "UPDATE head SET (position, hash, at) = (SELECT position, hash, at FROM log WHERE position = ?)", [kept]
        )
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return copied


def said(ran: Any) -> str:
    return " ".join((ran.stdout + ran.stderr).split())


def test_without_accepting_the_loss_it_only_tells(sound: Path, var: Path) -> None:
    whole, kept = head_of(sound), head_of(var)

    ran = kameng(var, "heal", "--json")

    assert ran.exit_code == 1
    (wound,) = json.loads(ran.stdout.splitlines()[-1])["wounds"]
    assert (wound["service"], wound["kept"], wound["upto"], wound["lost"]) == ("order", kept, whole, whole - kept)
    assert f"{whole - kept} positions, {kept + 1} to {whole}, are lost" in said(ran)
    assert head_of(var) == kept


def test_a_healed_folder_is_proven_once_its_tables_are_rebuilt_and_lost_orders_are_freed(
    sound: Path, var: Path
) -> None:
    ran = kameng(var, "heal", "order", "--accept-loss")
    assert ran.exit_code == 0, said(ran)
    assert head_of(var) == head_of(sound)
    assert "nothing to heal" in said(kameng(var, "heal"))
    assert "that log ends at" not in said(kameng(var, "status"))

    rebuilt = kameng(var, "rebuild", "all")
    assert rebuilt.exit_code == 0, said(rebuilt)
    found = kameng(var, "lost", "--json")
    orders = json.loads(found.stdout.splitlines()[-1])["orders"]
    for order in orders:
        assert f"does not know order {order['order_id']}" in said(kameng(var, "verify")) or len(orders) > 10
    delivered = [f"--capture={one['order_id']}" for one in orders if one["delivered"]]
    freed = kameng(var, "lost", "--release", *delivered)
    assert freed.exit_code == 0, said(freed)
    verified = kameng(var, "verify")
    assert verified.exit_code == 0, said(verified)
    engine = open_engine(database_url(var, "order"), writer=False)
    assert chain_check.check_chain(engine) is None
    engine.dispose()


def test_a_position_that_only_an_operator_knows_is_never_given(sound: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(sound, tmp_path / "whole")
    beyond = head_of(copied) + 1_500

    ran = kameng(copied, "heal", "order", "--beyond", str(beyond), "--accept-loss")

    assert ran.exit_code == 0, said(ran)
    assert head_of(copied) == beyond
    assert kameng(copied, "verify").exit_code == 0


def test_a_folder_in_use_is_not_healed(var: Path) -> None:
    with lock_folder(var):
        ran = kameng(var, "heal", "--accept-loss")
    assert (ran.exit_code, "another process works on" in ran.stderr) == (1, True)


def test_a_log_that_went_on_under_a_reader_is_not_healed(var: Path) -> None:
    with closing(sqlite3.connect(var / "risk.sqlite3")) as connection:
        connection.execute("UPDATE readers SET position = 5, hash = x'00' WHERE source = 'order'")
        connection.commit()

    ran = kameng(var, "heal", "--accept-loss")

    assert ran.exit_code == 1
    assert "went on after it was set back" in said(ran)


@pytest.mark.parametrize(
    ("arguments", "code"), [(("heal", "nobody"), 2), (("heal", "--beyond", "7"), 2), (("lost", "--void", "o-1"), 1)]
)
def test_what_makes_no_sense_is_refused(sound: Path, arguments: tuple[str, ...], code: int) -> None:
    assert kameng(sound, *arguments).exit_code == code
