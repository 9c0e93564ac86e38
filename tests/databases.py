"""Fresh databases to test on: SQLite files always, PostgreSQL where a server can be had.

PostgreSQL is the server of KAMENG_TEST_POSTGRES_URL, or else a private one, installed where it is missing and we may,
and started when first asked for.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from deploy.local.packages import ensure_installed, postgres_programs
from deploy.local.waiting import InfrastructureError
from shared.eventstore.engines import open_engine

NewDatabase = Callable[[], str]


class PrivateServer:
    """A PostgreSQL in a temporary folder, reached through a socket there."""

    def __init__(self, binaries: Path) -> None:
        self._binaries, self._user = binaries, None
        self.folder = Path(tempfile.mkdtemp(prefix="kameng-pg-"))
        if os.geteuid() == 0:
            self._user = "postgres" if _has_user("postgres") else "nobody"
            shutil.chown(self.folder, self._user)
        self._run("initdb", "-D", f"{self.folder}/data", "-U", "kameng", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off -c max_connections=50 -c shared_buffers=16MB"
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-l", f"{self.folder}/log", "-o", options, "start")
        self.url = f"postgresql+psycopg://kameng@/postgres?host={self.folder}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
        subprocess.run(
            command,
            user=self._user,
            cwd=self.folder,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        """Stop the server and drop its files."""
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


def in_memory() -> sa.Engine:
    """A new SQLite database on one connection; any thread may close it, so the garbage collector as well."""
    return sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})


def _has_user(name: str) -> bool:
    return any(user.pw_name == name for user in pwd.getpwall())


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server on which databases may be created; skips when there is none."""
    given = os.environ.get("KAMENG_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    try:
        ensure_installed(Path(tempfile.gettempdir()) / "kameng-install.log", print)
    except InfrastructureError as error:
        pytest.skip(f"no PostgreSQL: {error}")
    binaries = postgres_programs()
    assert binaries, "it was installed"
    server = PrivateServer(binaries)
    yield server.url
    server.stop()


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[NewDatabase]:
    """Makes fresh databases (schemas of their own) on a PostgreSQL server and drops them at the end."""
    admin = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    names: list[str] = []

    def new() -> str:
        names.append(f"test_{uuid4().hex}")
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {names[-1]}")
        url = sa.make_url(postgres_url).update_query_dict({"options": f"-csearch_path={names[-1]}"})
        return url.render_as_string(hide_password=False)

    yield new
    with admin.connect() as connection:
        for name in names:
            connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> NewDatabase:
    """Makes fresh databases, of each kind in turn, and returns their URLs."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgres")
    return lambda: f"sqlite:///{tmp_path / uuid4().hex}.sqlite3"


@pytest.fixture
def engine(new_database: NewDatabase) -> Iterator[sa.Engine]:
    """A writer's engine on a fresh database of each kind in turn."""
    opened = open_engine(new_database(), writer=True)
    yield opened
    opened.dispose()
