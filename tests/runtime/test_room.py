"""A database whose disk is full: callers hear of it, nothing is parked or lost, and it goes on by itself."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from shared.eventstore.disk_space import has_room, trouble
from shared.eventstore.engines import open_engine
from shared.messages.messages import HALTED
from shared.writer import writer as writers
from shared.writer.writer import Writer
from tests.runtime.builders import (
    ManualClock,
    logged,
    press,
    replies,
    start,
)
from tests.runtime.toy import ToyPressed, button

SIZE = 64 * 1024 * 1024


@dataclass
class Disk:
    """A small disk, with a database on it."""

    folder: Path
    url: str = ""

    def fill(self, but: int = 0) -> None:
        """Leave room for so many bytes."""
        if but:
            (self.folder / "room").write_bytes(bytes(but))
        with (self.folder / "filler").open("wb", buffering=0) as file:
            for piece in (1024 * 1024, 4096, 1):
                try:
                    while file.write(b"x" * piece) == piece:
                        pass
                except OSError:
                    continue
        (self.folder / "room").unlink(missing_ok=True)

    def clear(self) -> None:
        (self.folder / "filler").unlink()


@pytest.fixture
def small() -> Iterator[Disk]:
    folder = Path(tempfile.mkdtemp(prefix="kameng-disk-"))
    folder.chmod(0o755)  # PostgreSQL has to get there
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0777", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("a small disk can be mounted by root only, and not in every container")
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()


@pytest.fixture(params=["sqlite", "postgresql"])
def disk(request: pytest.FixtureRequest, small: Disk) -> Iterator[Disk]:
    if request.param == "sqlite":
        small.url = f"sqlite:///{small.folder}/button.sqlite3"
        yield small
        return
    url = request.getfixturevalue("postgres_url")
    if "KAMENG_TEST_POSTGRES_URL" in os.environ:
        pytest.skip("the server given has disks of its own")
    place = small.folder / "space"
    place.mkdir()
    owner = Path(str(sa.make_url(url).query["host"])).stat().st_uid
    os.chown(place, owner, -1)
    name = f"small_{uuid4().hex}"
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE TABLESPACE {name} LOCATION '{place}'")
        connection.exec_driver_sql(f"CREATE DATABASE {name} TABLESPACE {name}")
    small.url = sa.make_url(url).set(database=name).render_as_string(hide_password=False)
    yield small
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        connection.exec_driver_sql(f"DROP TABLESPACE {name}")
    admin.dispose()


@pytest.fixture
def writer(disk: Disk) -> Iterator[Writer]:
    engine = open_engine(disk.url, writer=True)
    yield start(button(), engine, ManualClock())
    engine.dispose()


def test_a_full_disk_refuses_commands_that_are_done_when_there_is_room(
    disk: Disk, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "ROOM_SECONDS", 0.0)
    assert [one.outcome for one in replies(writer, press("first"))] == ["accepted"]
    assert has_room(writer.engine)
    disk.fill()
    assert not has_room(writer.engine)

    done = 0
    while (reply := replies(writer, press(f"p{done}", note="n" * 3_000))[0]).outcome == "accepted":
        done += 1
        assert done < 1_000, "the disk takes no end of it"

    assert (reply.outcome, reply.code, reply.status) == ("failed", HALTED, 503)
    assert reply.detail.startswith("the disk of ")
    assert reply.detail.endswith(" is full")
    assert writer.halted == reply.detail
    assert [one.code for one in replies(writer, press("later"), press("latest"))] == [HALTED] * 2
    writer.look_for_room()
    assert writer.halted

    disk.clear()
    writer.look_for_room()
    assert not writer.halted
    again = replies(writer, press(f"p{done}", note="n" * 3_000), press("later"))
    assert [(one.outcome, one.repeated) for one in again] == [("accepted", False)] * 2
    assert writer.parked.count() == 0
    assert sum(isinstance(one, ToyPressed) for one in logged(writer)) == done + 3


def test_a_start_on_a_full_disk_goes_on_when_there_is_room(disk: Disk, writer: Writer) -> None:
    replies(writer, press("first"))
    disk.fill()
    disk.clear()
    again = start(button(), writer.engine, ManualClock())
    assert [one.repeated for one in replies(again, press("first"))] == [True]


def test_an_io_error_counts_as_a_full_disk_where_there_is_no_room(small: Disk) -> None:
    url = sa.make_url(f"sqlite:///{small.folder}/button.sqlite3")
    cause = sqlite3.OperationalError("disk I/O error")
    cause.sqlite_errorcode = sqlite3.SQLITE_IOERR
    error = OperationalError("PRAGMA journal_mode = WAL", {}, cause)
    assert trouble(error, url) == f"the disk of {small.folder}/button.sqlite3 can't be written"
    small.fill()
    assert trouble(error, url) == f"the disk of {small.folder}/button.sqlite3 is full"
