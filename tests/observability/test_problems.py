"""Dashboards, alerts, runbooks and the page of metrics agree, and it is found out when they do not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.local.packages import prometheus_programs
from deploy.local.waiting import InfrastructureError
from observability import files
from observability.declared import ALL, metrics_of
from observability.problems import problems
from services import NAMES
from shared.telemetry.metric import Metric
from tests.observability.watching import ensure_prometheus


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of everything that is checked, to spoil."""
    for name in ("DASHBOARDS", "RUNBOOKS", "PAGE", "ALERTS", "ALERT_TESTS", "SLOW_ALERT_TESTS"):
        path: Path = getattr(files, name)
        copy = tmp_path / path.relative_to(files.ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(path, copy) if path.is_dir() else shutil.copy(path, copy)
        monkeypatch.setattr(files, name, copy)
    monkeypatch.setattr(files, "ROOT", tmp_path)
    return tmp_path


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_all_agree() -> None:
    assert problems() == []


@pytest.mark.parametrize("name", NAMES)
def test_what_a_service_declares_is_on_the_page(name: str) -> None:
    declared = {one for one in vars(metrics_of(name)).values() if isinstance(one, Metric)}

    assert declared
    assert declared <= set(ALL)


def test_a_page_that_was_edited_by_hand_is_found(copied: Path) -> None:
    replace(files.PAGE, "Group commits.", "Commits.")

    assert [problem for problem in problems() if "docs/reference/metrics.md is not what the code makes: run" in problem]


def test_a_dashboard_that_asks_for_nothing_is_found(copied: Path) -> None:
    replace(files.DASHBOARDS / "overview.json", "kameng_parked", "kameng_parkd")

    assert [problem for problem in problems() if "asks for kameng_parkd, which no metrics.py declares" in problem]


def test_an_alert_without_runbook_or_test_is_found(copied: Path) -> None:
    replace(files.ALERTS, "alert: KamengLowStock", "alert: KamengNoStock")

    found = "\n".join(problems())

    assert "KamengNoStock must link docs/runbooks/KamengNoStock.md" in found
    assert "alerts.test.yml must show KamengNoStock firing" in found
    assert "docs/runbooks/KamengLowStock.md is of no alert" in found


def test_each_service_is_missed_when_it_is_silent() -> None:
    expected = [rule["labels"]["service"] for rule in files.rules() if rule.get("record") == "kameng:service:expected"]

    assert expected == list(NAMES)
    for alert in ("KamengServiceSilent", "KamengLogServerDown"):
        assert "kameng:service:expected unless on (service)" in files.alerts()[alert]["expr"], alert


def test_each_alert_fires_when_it_must_and_not_when_it_must_not() -> None:
    try:
        ensure_prometheus()
    except InfrastructureError as error:
        pytest.skip(f"no promtool: {error}")
    programs = prometheus_programs()
    assert programs
    command = [str(programs / "promtool"), "test", "rules", str(files.ALERT_TESTS), str(files.SLOW_ALERT_TESTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
