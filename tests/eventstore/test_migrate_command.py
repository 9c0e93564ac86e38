"""`kameng migrate`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
import structlog
import typer
from typer.testing import CliRunner, Result

from cli import common, migrating
from cli.__main__ import SERVICES
from services import migrations_of
from shared.eventstore import databases
from shared.eventstore.engines import open_engine
from shared.eventstore.migration import revisions
from shared.security.secrets import Secrets
from tests.databases import NewDatabase

Kameng = Callable[..., Result]


@pytest.fixture
def kameng(tmp_path: Path) -> Kameng:
    app = typer.Typer()

    @app.callback()
    def _services(context: typer.Context) -> None:
        context.obj = SERVICES

    app.command("migrate")(migrating.migrate)

    def run(*arguments: str, url: str = "", database_url: str = "") -> Result:
        environment = {"KAMENG_POSTGRES_URL": url, "KAMENG_DATABASE_URL": database_url, "KAMENG_VAR": str(tmp_path)}
        try:
            return CliRunner().invoke(app, ["migrate", *arguments], env=environment)
        finally:
            structlog.reset_defaults()  # the command logs to a stream that is closed by now

    return run


@pytest.fixture
def prefix(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The command's databases get names of this test's own; they are dropped at the end."""
    made = f"test_{uuid4().hex}"
    monkeypatch.setattr(databases, "name_of", lambda service: f"{made}_{service}")
    yield made
    admin = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for service in SERVICES:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {made}_{service.name} WITH (FORCE)")
            connection.exec_driver_sql(f"DROP ROLE IF EXISTS {made}_{service.name}")
    admin.dispose()


def all_of(service: str) -> str:
    return f"{service}: {', '.join(script.revision for script in revisions(migrations_of(service)))}"


@pytest.mark.usefixtures("prefix")
def test_it_makes_what_is_missing_and_then_has_nothing_to_do(kameng: Kameng, postgres_url: str, tmp_path: Path) -> None:
    first, again = kameng("order", "risk", url=postgres_url), kameng("order", "risk", url=postgres_url)
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert all_of("order") in first.stdout
    assert "risk: up to date" in again.stdout
    engine = open_engine(migrating.database_of(postgres_url, "risk", Secrets(tmp_path / "secrets")), writer=True)
    assert {"log", "windows"} <= set(sa.inspect(engine).get_table_names())
    engine.dispose()
    password = migrating.password_of("risk", Secrets(tmp_path / "secrets"))
    assert password not in first.output + again.output


@pytest.mark.parametrize(
    ("arguments", "url", "code", "message"),
    [
        ([], "", 2, "KAMENG_POSTGRES_URL is not set"),
        (["nobody"], "postgresql+psycopg://a:hidden@127.0.0.1:1/b", 2, "there is no service nobody"),
        (["order"], "postgresql+psycopg://a:hidden@127.0.0.1:1/b", 1, "order could not be migrated"),
        (["order"], "hidden", 1, "order could not be migrated"),
    ],
)
def test_a_failure_is_reported_without_secrets(
    kameng: Kameng, monkeypatch: pytest.MonkeyPatch, arguments: list[str], url: str, code: int, message: str
) -> None:
    said: list[str] = []
    monkeypatch.setattr(common.errors, "print", lambda text, **_: said.append(text))
    result = kameng(*arguments, url=url)
    assert result.exit_code == code
    assert message in said[0]
    assert "hidden" not in said[0] + result.output


def test_without_a_superuser_the_tables_of_a_database_are_brought_up_to_date(
    kameng: Kameng, postgres: NewDatabase, tmp_path: Path
) -> None:
    url = postgres()

    first, again = (kameng("risk", database_url=url) for _ in range(2))

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert all_of("risk") in first.stdout
    assert "risk: up to date" in again.stdout
    assert not (tmp_path / "secrets").exists()


def test_a_missing_database_is_reported(kameng: Kameng, postgres: NewDatabase) -> None:
    url = sa.make_url(postgres()).set(database="nobody_{service}").render_as_string(hide_password=False)

    result = kameng("risk", database_url=url.replace("%7B", "{").replace("%7D", "}"))

    assert result.exit_code == 1
    assert "risk could not be migrated" in result.stderr
    assert "is the server there" in result.stderr
