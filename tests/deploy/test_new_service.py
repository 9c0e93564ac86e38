"""A new service is one folder, its contracts, and its name in the list of services."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.loyalty import FILES, NAME
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
LEFT_OUT = (".git", ".hypothesis", ".uv", ".venv", ".*_cache", "__pycache__", "var")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project, with one service more."""
    copied = tmp_path / "project"
    shutil.copytree(ROOT, copied, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for name, text in FILES.items():
        (copied / name).parent.mkdir(parents=True, exist_ok=True)
        (copied / name).write_text(text)
    add(copied / "services" / "__init__.py", '"notification", "gateway")', f'"notification", "{NAME}", "gateway")')
    # Its events are about orders, whose history the gateway shows.
    add(copied / "services" / "gateway" / "__init__.py", '"ledger", ', f'"ledger", "{NAME}", ')
    return copied


def add(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def run(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": f"{copy}:{copy / 'clients/python/src'}"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_it_runs_in_the_shop_in_the_simulation_and_behind_the_walls(copy: Path) -> None:
    for command in (
        ("shared.published", "write"),
        ("clients.generate",),
        ("shared.published", "check"),
        ("clients.generate", "--check"),
        ("ruff", "check", "services", "shared", f"tests/{NAME}"),
        ("importlinter.cli", "--no-logo"),
        ("pytest", "-p", "no:cacheprovider", f"tests/{NAME}", "tests/cli/test_services.py", "tests/test_kernel.py"),
        ("tests.simulation", "--seeds", "2", "--jobs", "1"),
    ):
        ran = run(copy, *command)
        assert ran.returncode == 0, f"{' '.join(command)}: {ran.stdout[-3000:]}{ran.stderr[-3000:]}"


def test_what_it_lacks_in_kubernetes_and_compose_is_named(copy: Path) -> None:
    ran = run(copy, "pytest", "-p", "no:cacheprovider", "tests/deploy/static/test_compose.py")

    assert ran.returncode == 1
    assert f"{NAME}-writer" in ran.stdout
