"""`kameng run`."""

from __future__ import annotations

import os
import sys

import pytest
import typer
from typer.testing import CliRunner

from cli import running
from services import readers_of

app = typer.Typer()
app.command()(running.run)


def test_it_becomes_the_process_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: became.append((program, arguments)))
    CliRunner().invoke(app, ["order"])

    order = ["services.order.service:SERVICE", *readers_of("order")]
    expected = [sys.executable, "-m", "shared.runtime.cluster", *order]
    assert became == [(sys.executable, expected)]


def test_a_service_that_is_not_there_is_refused() -> None:
    found = CliRunner().invoke(app, ["nobody"])

    assert found.exit_code == 2
    assert "there is no service nobody" in found.stderr
