"""Where the commands that look at a cluster find its databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from cli.places import place_of
from tests.cli.builders import SERVICES

OWN = "postgresql+psycopg://kameng_{service}@{service}-database-rw:5432/kameng_{service}?sslmode=require"


def urls(var: Path) -> dict[str, str]:
    with place_of(var, SERVICES, cluster=True) as place:
        return {name: url.render_as_string(hide_password=False) for name, url in place.urls.items()}


def test_each_service_may_have_a_server_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAMENG_DATABASE_URL", OWN)
    monkeypatch.delenv("KAMENG_POSTGRES_URL", raising=False)
    (tmp_path / "databases").mkdir()
    (tmp_path / "databases/button").write_text("of-the-button\n")

    found = urls(tmp_path)

    assert found == {
        "button": OWN.replace("{service}", "button").replace("@", ":of-the-button@"),
        "lamp": OWN.replace("{service}", "lamp"),  # PGPASSWORD, where a pod knows one database
    }


def test_a_server_for_all_that_is_named_goes_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAMENG_DATABASE_URL", OWN)
    monkeypatch.setenv("KAMENG_POSTGRES_URL", "postgresql+psycopg://somebody@one-for-all/postgres")
    (tmp_path / "secrets").mkdir()

    assert {url.partition("@")[2] for url in urls(tmp_path).values()} == {
        "one-for-all/kameng_button",
        "one-for-all/kameng_lamp",
    }


def test_what_is_no_url_is_refused_and_not_shown(tmp_path: Path) -> None:
    environment = {"KAMENG_DATABASE_URL": "of-{service}-and-a-secret", "KAMENG_POSTGRES_URL": ""}

    ran = CliRunner().invoke(app, ["status", "--cluster", "--var", str(tmp_path)], env=environment)

    assert ran.exit_code == 1
    assert "KAMENG_DATABASE_URL" in ran.output
    assert "secret" not in ran.output
