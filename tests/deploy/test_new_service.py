"""A new service is one folder, its contracts, and its name in the list of services; `make generate` does the rest."""

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
LEFT_OUT = (".git", ".hypothesis", ".uv", ".venv", ".*_cache", "var")
# The targets of the Makefile as they are, in this environment in place of one that uv makes. `uv lock --check` is left
# out: a new service changes neither pyproject.toml nor uv.lock, and uv would ask the network.
MAKE = ("make", "--old-file=.venv/.synced", "UV=true", "RUN=")
OWN = f"services/{NAME} shared/contracts/{NAME}.py"
"""What basedpyright looks at: the new service. All else takes most of a minute, and imports none of it."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project, with one service more."""
    copied = tmp_path / "project"
    shutil.copytree(ROOT, copied, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for name, text in FILES.items():
        (copied / name).parent.mkdir(parents=True, exist_ok=True)
        (copied / name).write_text(text)
    (copied / "var").mkdir()
    (ROOT / "var/asyncapi").mkdir(parents=True, exist_ok=True)
    (copied / "var/asyncapi").symlink_to(ROOT / "var/asyncapi")  # a parser of Node.js, which is installed once
    listed = copied / "services" / "__init__.py"
    before, after = '"notification", "gateway")', f'"notification", "{NAME}", "gateway")'
    assert before in listed.read_text()
    listed.write_text(listed.read_text().replace(before, after))
    return copied


def run(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        command,
        cwd=copy,
        env={**inherited, "PATH": path, "PYTHONPATH": f"{copy}:{copy / 'clients/python/src'}"},
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
        check=False,
    )


@pytest.mark.timeout(900)
def test_it_passes_every_check_and_runs_in_the_shop_and_in_the_simulation(copy: Path) -> None:
    stale = run(copy, *MAKE, "check")
    assert stale.returncode != 0
    assert f"k8s/generated/processes/{NAME}/kustomization.yaml" in stale.stderr
    assert "run `make generate`" in stale.stderr

    for command in (
        (*MAKE, "generate"),
        (*MAKE, "check", f"TYPES={OWN}"),
        ("pytest", "-p", "no:cacheprovider", f"tests/{NAME}"),
        ("python", "-m", "tests.simulation", "--seeds", "1", "--jobs", "1"),
    ):
        ran = run(copy, *command)
        assert ran.returncode == 0, f"{' '.join(command)}: {ran.stdout[-3000:]}{ran.stderr[-3000:]}"
    assert "kameng_points_awarded_total" in (copy / "docs/reference/metrics.md").read_text()
