"""How SQLite's files are opened beside other connections and other processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from shared.eventstore.engines import open_engine
from tests.eventstore.builders import (
    append,
    created,
    events,
    read,
)

LOOK = """
import sqlite3, sys
looking = sqlite3.connect(sys.argv[1])
looking.execute("SELECT 1 FROM sqlite_master").fetchall()
looking.close()
"""


def test_a_process_that_looks_and_goes_takes_nothing_from_the_one_at_work(tmp_path: Path) -> None:
    file = tmp_path / "lamp.sqlite3"
    url = f"sqlite:///{file}"
    writing = open_engine(url, writer=True)
    head = append(writing, created(writing), events(1, 1))
    with writing.connect(), open_engine(url, writer=False).connect():  # a second connection of the same process
        subprocess.run([sys.executable, "-c", LOOK, str(file)], check=True)
    assert file.with_name(f"{file.name}-wal").exists()
    append(writing, head, events(2, 1))
    writing.dispose()
    assert len(read(open_engine(url, writer=False))) == 2


def test_a_database_is_its_owner_s_alone(tmp_path: Path) -> None:
    with open_engine(f"sqlite:///{tmp_path / 'lamp.sqlite3'}", writer=True).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE lamp (name TEXT)")
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
