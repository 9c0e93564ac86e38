"""The command line `kameng`: in this process where that is enough, for starting it takes seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import structlog
from typer.testing import CliRunner

from cli import common
from cli.__main__ import app
from tests.waiting import PATIENCE

WIDTH = 200  # so that no line is broken
Ran = subprocess.CompletedProcess[str]


def kameng(*arguments: str, var: Path) -> Ran:
    """Run a command on a folder in this process."""
    line = [*arguments, "--var", str(var)]
    common.console.width = common.errors.width = WIDTH
    try:
        result = CliRunner().invoke(app, line)
    finally:
        structlog.reset_defaults()  # the command logs to a stream that is closed by now
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return subprocess.CompletedProcess(line, result.exit_code, result.stdout, result.stderr)


def process(*arguments: str, var: Path) -> subprocess.Popen[str]:
    """Start a command on a folder in a process of its own, without what is set for another folder."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("KAMENG_")}
    own["COLUMNS"] = str(WIDTH)
    line = [sys.executable, "-m", "cli", *arguments, "--var", str(var)]
    return subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**own, "COLUMNS": str(WIDTH)}
    )


def ended(running: subprocess.Popen[str], seconds: float = 2 * PATIENCE) -> Ran:
    """What a process came to."""
    try:
        out, err = running.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        running.kill()
        raise
    return subprocess.CompletedProcess(running.args, running.returncode, out, err)
