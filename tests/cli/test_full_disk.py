"""`kameng serve` where there is no room: it ends in one plain line, and has not begun to serve."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from cli import serving
from cli.__main__ import app
from services.gateway.access.bootstrap import NotAccepted
from shared.security.secrets import Secrets
from tests.acceptance.command import kameng
from tests.runtime.test_room import Disk, small
from tests.upgrade.written import unpack

__all__ = ["small"]
FULL = OSError(28, "No space left on device")


@pytest.mark.parametrize("is_new", [True, False], ids=["a new folder", "a folder in use"])
def test_a_full_disk_ends_the_start_in_one_plain_line(small: Disk, tmp_path: Path, is_new: bool) -> None:
    var = small.folder / "var"
    if is_new:
        var.mkdir()
    else:
        shutil.copytree(unpack(tmp_path), var)
    small.fill()

    ran = kameng("serve", "--port", "0", var=var)

    assert ran.returncode == 1, ran.stdout + ran.stderr
    lines = [line for line in ran.stderr.splitlines() if not line.startswith("{")]  # the others are the log
    assert len(lines) == 1, ran.stderr
    (error,) = lines
    assert "No space left on device" in error or "disk is full" in error or "sqlite3 is full" in error, error
    assert str(var) in error
    assert not (var / "serve.json").exists()
    assert "(API:" not in ran.stdout


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FULL, "can't be used: No space left on device."),
        (OperationalError("INSERT", {}, Exception("database or disk is full")), "database or disk is full."),
        (NotAccepted("the first administrator was not accepted (not-deciding)"), "(not-deciding)."),
    ],
)
def test_a_disk_that_fills_while_it_starts_ends_it_in_one_plain_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fill(*_: object) -> None:
        raise error

    monkeypatch.setattr(serving, "_serve", fill)
    monkeypatch.setenv("KAMENG_SUPPLIERS", '{"north": {"url": "http://supplier.invalid"}}')
    Secrets(tmp_path / "secrets").get("tokens")

    ran = CliRunner().invoke(app, ["serve", "--port", "0", "--var", str(tmp_path)])

    assert ran.exit_code == 1
    assert ran.stderr.strip().endswith(said)
    assert len(ran.stderr.strip().splitlines()) == 1
