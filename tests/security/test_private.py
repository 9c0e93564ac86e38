"""What a folder holds is its owner's alone, whatever the umask and whatever it was before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from shared.eventstore.engines import open_engine
from shared.security.private import PASSABLE, private_folder


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_folder_and_its_databases_are_private(umask: int, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "var"
    private_folder(folder)
    engine = open_engine(f"sqlite:///{folder}/order.sqlite3", writer=True)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE a (b)"))
        assert sorted(path.name for path in folder.iterdir())[0] == "order.sqlite3"
        assert {mode(path) for path in folder.iterdir()} == {0o600}
    engine.dispose()
    assert mode(folder) == 0o700


def test_what_others_could_read_is_tightened_once_and_counted(umask: int, tmp_path: Path) -> None:
    outside, var = tmp_path / "outside", tmp_path / "var"
    outside.write_text("another's")
    outside.chmod(0o644)
    (var / "imports").mkdir(parents=True)
    for path in (var / "order.sqlite3", var / "imports" / "fates.csv", var / "tool"):
        path.write_text("x")
        path.chmod(0o644)
    for path in (var, var / "imports", var / "tool"):
        path.chmod(0o755)
    (var / "link").symlink_to(outside)
    (var / "nowhere").symlink_to(tmp_path / "missing")
    assert private_folder(var) == 5
    assert [mode(var / name) for name in ("", "imports", "order.sqlite3", "imports/fates.csv", "tool")] == [
        0o700, 0o700, 0o600, 0o600, 0o700,
    ]  # fmt: skip
    assert mode(outside) == 0o644
    assert private_folder(var) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_servers_have_is_left_to_them(tmp_path: Path) -> None:
    theirs = tmp_path / "postgres"
    theirs.mkdir(mode=0o755)
    (theirs / "data").write_text("x")
    (theirs / "data").chmod(0o644)
    os.chown(theirs, 65534, 65534)
    private_folder(tmp_path, PASSABLE)
    assert (mode(tmp_path), mode(theirs), mode(theirs / "data")) == (0o711, 0o755, 0o644)
