"""Finds the data for a command: a folder of SQLite files, or the cluster's PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer
from pydantic import ValidationError
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from cli.common import CLUSTER_VAR, VAR, fail
from cli.migrating import database_of
from deploy.local import infrastructure
from deploy.local.infrastructure import AMQP_VARIABLE, POSTGRES_VARIABLE, InfrastructureError
from shared.contracts import UnknownMessage
from shared.eventstore.engines import open_engine
from shared.eventstore.unreadable import Unreadable, described
from shared.runtime.embedded import database_url
from shared.runtime.service import Service
from shared.runtime.settings import own_url
from shared.security.secrets import Secrets

AnyVar = Annotated[
    Path | None,
    typer.Option(
        "--var", envvar="KAMENG_VAR", help="Folder of the data: var, or var/cluster with --cluster. 数据目录。"
    ),
]
InCluster = Annotated[bool, typer.Option("--cluster", help="The cluster's databases, not a folder's files. 集群。")]
MISSING = "its file is missing; restore it from a backup"
PASSWORDS = (
    "databases"  # one file for each service, in the folder of a cluster whose databases have servers of their own
)


@dataclass(frozen=True)
class Place:
    """Each service's database, and an engine to read it. `var` holds the secrets and, without a cluster, the files.
    `amqp_url` is the cluster's broker, empty if it is unknown."""

    var: Path
    is_cluster: bool
    urls: dict[str, sa.URL]
    logs: dict[str, sa.Engine]
    amqp_url: str = ""

    def log(self, service: str) -> sa.Engine:
        """An engine to read a service's database. Raises LookupError if its file is missing."""
        if service not in self.logs:
            raise LookupError(MISSING)
        return self.logs[service]


@contextmanager
def place_of(var: Path | None, services: Sequence[Service], *, cluster: bool, partly: bool = False) -> Iterator[Place]:
    """The services' data. Ends the command when there is none, or the server does not answer. With `partly`, some files
    of a folder may be missing."""
    if not cluster:
        folder = var or VAR
        logs = open_logs(folder, services, partly=partly)
        urls = {service.name: sa.make_url(database_url(folder, service.name)) for service in services}
    else:
        folder = var or CLUSTER_VAR
        urls = _cluster_urls(folder, services)
        logs = {name: open_engine(url, writer=False) for name, url in urls.items()}
    try:
        yield Place(folder, cluster, urls, logs, _broker(folder) if cluster else "")
    except SQLAlchemyError as error:
        reason = _first_line(error)
        fail(f"a database of {folder} can't be used: {reason}. If it is damaged, `kameng verify` tells which.")
    except (Unreadable, UnknownMessage, ValidationError) as error:
        fail(f"{folder} holds what this version can't read: {described(error)}.")
    finally:
        for engine in logs.values():
            engine.dispose()


def _first_line(error: SQLAlchemyError) -> str:
    lines = str(error.orig if isinstance(error, DBAPIError) else error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


@contextmanager
def looking(service: str, wrong: MutableMapping[str, Any]) -> Iterator[None]:
    """Read a service's database. An error is put into `wrong` under the service's name, as text for people."""
    try:
        yield
    except (SQLAlchemyError, LookupError, TypeError, ValueError) as error:
        wrong[service] = described(error)


def open_logs(var: Path, services: Sequence[Service], *, partly: bool = False) -> dict[str, sa.Engine]:
    """An engine to read each service's database; with `partly`, each that exists. Ends the command when there is no
    data in the folder."""
    missing = [service.name for service in services if not (var / f"{service.name}.sqlite3").exists()]
    if missing and not (partly and len(missing) < len(services)):
        fail(f"{var} holds no data of {', '.join(missing)}: run `kameng demo` or `kameng serve` first.")
    there = [service.name for service in services if service.name not in missing]
    return {name: open_engine(database_url(var, name), writer=False) for name in there}


def _cluster_urls(var: Path, services: Sequence[Service]) -> dict[str, sa.URL]:
    """The URL of each service's database: from KAMENG_DATABASE_URL, else on the cluster's one server."""
    own = os.environ.get("KAMENG_DATABASE_URL", "")
    if "{service}" in own and not os.environ.get(POSTGRES_VARIABLE):
        return {
            service.name: _with_password(own_url(own, service.name), var / PASSWORDS / service.name)
            for service in services
        }
    if not (var / "secrets").exists():
        fail(f"{var} holds no secrets of a cluster: name its folder with --var.")
    secrets = Secrets(var / "secrets")
    server = _server(var)
    return {service.name: database_of(server, service.name, secrets) for service in services}


def _with_password(text: str, password: Path) -> sa.URL:
    """The URL with the password from the file, if the file exists. A process with one database may use PGPASSWORD."""
    try:
        url = sa.make_url(text)
    except ArgumentError:
        fail("KAMENG_DATABASE_URL is no URL of a database.")
    return url.set(password=password.read_text().strip()) if password.exists() else url


def _broker(var: Path) -> str:
    if given := os.environ.get(AMQP_VARIABLE):
        return given
    try:
        found = infrastructure.find(var)
    except InfrastructureError:
        return ""
    return found.amqp_url if found else ""


def _server(var: Path) -> str:
    if given := os.environ.get(POSTGRES_VARIABLE):
        return given
    try:
        found = infrastructure.find(var)
    except InfrastructureError as error:
        fail(str(error))
    if found is None:
        fail(f"no servers run for {var}: `kameng cluster up`, or set KAMENG_POSTGRES_URL.")
    return found.postgres_url
