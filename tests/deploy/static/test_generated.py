"""What is made from the list of services is as the list is, and `make generate` mends it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.generator import files


def test_nothing_is_stale() -> None:
    assert files.stale() == {}, f"run `{files.COMMAND}`"


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all that is generated, to spoil."""
    for path in files.generated():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(files.ROOT / path, tmp_path / path)
    monkeypatch.setattr(files, "ROOT", tmp_path)
    return tmp_path


def test_what_differs_is_missing_or_is_of_no_service_is_named_and_mended(copied: Path) -> None:
    gone, edited, missing = (
        Path("k8s/generated/names") / name / "kustomization.yaml" for name in ("x", "order", "risk")
    )
    (copied / gone).parent.mkdir()
    (copied / gone).write_text("kind: Component")
    (copied / edited).write_text("kind: Component")
    (copied / missing).unlink()
    (copied / files.COMPOSE).write_text((copied / files.COMPOSE).read_text().replace("[run, risk]", "[run, x]"))

    assert files.stale() == {files.COMPOSE: "differs", edited: "differs", missing: "differs", gone: "is of no service"}
    assert files.write() == sorted([files.COMPOSE, edited, missing, gone])
    assert files.stale() == {}


def test_a_file_without_its_markers_is_named(copied: Path) -> None:
    (copied / files.ALERTS).write_text("groups: []")

    with pytest.raises(LookupError, match=r"alerts\.yml lacks the lines `# Generated: expected services"):
        files.generated()
