"""What is told of log servers that a writer hears nothing of."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cli.hearing import UNHEARD, unheard
from shared.telemetry.serving import HealthServer


@dataclass(frozen=True)
class Readiness:
    """What a writer says of itself."""

    ready: bool = True
    unannounced: list[str] = field(default_factory=list)


def test_each_log_server_that_is_not_heard_is_named(tmp_path: Path) -> None:
    with HealthServer("lamp", "writer", lambda: Readiness(unannounced=["button"]), (), file=tmp_path / "lamp.health"):
        assert unheard(tmp_path, "lamp") == [UNHEARD.format(source="button")]


def test_a_writer_that_hears_all_or_does_not_answer_names_none(tmp_path: Path) -> None:
    with HealthServer("lamp", "writer", Readiness, (), file=tmp_path / "lamp.health"):
        assert unheard(tmp_path, "lamp") == []

    assert unheard(tmp_path, "lamp") == unheard(tmp_path, "button") == []
