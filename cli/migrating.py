"""`kameng migrate`: each service's database on PostgreSQL, made and brought up to date."""

from __future__ import annotations

from typing import Annotated

import psycopg
import sqlalchemy as sa
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from sqlalchemy.exc import ArgumentError, DBAPIError

from cli.common import (
    CLUSTER_VAR,
    DatabaseUrl,
    Var,
    console,
    fail,
)
from services import NAMES, migrations_of
from shared.eventstore import migration
from shared.eventstore.databases import ensure_database, has_role, service_url
from shared.runtime.settings import own_url
from shared.security.secrets import Secrets
from shared.telemetry.logs import configure_logs

# A new password would lock out the processes that use the old one.
_STRANGE = (
    "{name} has a role already, and {var} not its password: name the folder that has it with --var, or put a new one "
    "into {var}/secrets/{secret}."
)


def migrate(
    only: Annotated[
        list[str] | None, typer.Argument(metavar="SERVICE", help="All when none is named. 默认全部。")
    ] = None,
    postgres_url: Annotated[
        str, typer.Option(envvar="KAMENG_POSTGRES_URL", show_default=False, help="Its superuser's URL. 管理员地址。")
    ] = "",
    database_url: DatabaseUrl = "",
    var: Var = CLUSTER_VAR,
) -> None:
    """Create each service's PostgreSQL database and role, and bring its tables up to date. 建库与迁移。

    Safe while the version before still serves, and to run again. The roles' passwords are the secrets
    `postgres-<service>` of the data folder, which is var/cluster unless named. Without a superuser's URL, but with a
    database's, databases and roles are taken as they are, and only the tables are brought up to date.
    """
    configure_logs(service="migrate", level="WARNING")
    if not postgres_url and not database_url:
        fail(
            "KAMENG_POSTGRES_URL is not set: postgresql+psycopg://superuser:password@host:port/postgres. "
            "Nor is KAMENG_DATABASE_URL, for databases and roles that are there already.",
            code=2,
        )
    if unknown := sorted(set(only or ()) - set(NAMES)):
        fail(f"there is no service {', '.join(unknown)}: {', '.join(NAMES)}.", code=2)
    wanted = [name for name in NAMES if not only or name in only]
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=len(wanted))
        for name in wanted:
            bar.update(task, description=name)
            try:
                if not postgres_url:
                    done = revise(database_url, name)
                elif not (var / "secrets" / secret_of(name)).exists() and has_role(postgres_url, name):
                    fail(_STRANGE.format(name=name, var=var, secret=secret_of(name)))
                else:
                    done = migrate_service(postgres_url, name, Secrets(var / "secrets"))
            except (psycopg.Error, DBAPIError, ArgumentError) as error:
                fail(f"{name} could not be migrated: {_reason(error)}")
            bar.console.print(f"{name}: {', '.join(done) or 'up to date 已是最新'}", soft_wrap=True)
            bar.update(task, advance=1)


def migrate_service(postgres_url: str, service: str, secrets: Secrets) -> list[str]:
    """Make one service's database and role if need be, and migrate it. Returns the names of the revisions that ran."""
    ensure_database(postgres_url, service, password_of(service, secrets))
    return revise(database_of(postgres_url, service, secrets), service)


def revise(database_url: str | sa.URL, service: str) -> list[str]:
    """Bring the tables of a service's database up to date. A text is taken as KAMENG_DATABASE_URL is."""
    url = own_url(database_url, service) if isinstance(database_url, str) else database_url
    return [script.revision for script in migration.migrate(url, migrations_of(service))]


def database_of(postgres_url: str, service: str, secrets: Secrets) -> sa.URL:
    """The URL of a service's own database, as its own role."""
    return service_url(postgres_url, service, password_of(service, secrets))


def password_of(service: str, secrets: Secrets) -> str:
    """The password of a service's role."""
    return secrets.text(secret_of(service))


def secret_of(service: str) -> str:
    """What the secret is called that is the password of a service's role."""
    return f"postgres-{service}"


def _reason(error: Exception) -> str:
    """What the server said, without statements or addresses: they may hold a password."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    said = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
    return said or f"{type(cause).__name__}: is the server there, and are user and password right?"
