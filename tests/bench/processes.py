"""A peer's processes: started together, ended together, their processor time by name."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import sqlalchemy as sa
from psycopg.sql import SQL, Identifier

from cli.started import processor_seconds
from deploy.local.infrastructure import Infrastructure
from tests.bench.peers.flow import ANY_SERVICE, database

ENDING_SECONDS = 15.0


@dataclass(frozen=True)
class Processes:
    """What runs, and the private servers that it uses."""

    running: Mapping[str, subprocess.Popen[bytes]]
    servers: Infrastructure

    def processor_seconds(self) -> dict[str, float]:
        """What each process and each private server has used of the processor."""
        used = {name: processor_seconds(process.pid) for name, process in self.running.items()}
        for name, server in (("postgresql", self.servers.postgres), ("rabbitmq", self.servers.rabbitmq)):
            if server:
                used[name] = sum(processor_seconds(process.pid) for process in server.processes())
        return used

    def check(self) -> None:
        """Raises RuntimeError when one has ended."""
        ended = [name for name, process in self.running.items() if process.poll() is not None]
        if ended:
            raise RuntimeError(f"{', '.join(ended)} ended: see the logs")


@contextmanager
def started(
    commands: Mapping[str, Sequence[str]], environment: Mapping[str, str], servers: Infrastructure, logs: Path
) -> Iterator[Processes]:
    """Run commands side by side, each with its log; ended by SIGTERM, and by force when that does not do."""
    logs.mkdir(parents=True, exist_ok=True)
    running: dict[str, subprocess.Popen[bytes]] = {}
    with ExitStack() as stack:
        for name, command in commands.items():
            log = stack.enter_context((logs / f"{name}.log").open("wb"))
            running[name] = subprocess.Popen(
                list(command), stdout=log, stderr=log, env={**os.environ, **environment}, start_new_session=True
            )
            stack.callback(_end, running[name])
        yield Processes(running, servers)
        for process in running.values():
            process.send_signal(signal.SIGTERM)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def new_database(servers: Infrastructure, name: str, projection: str = "") -> sa.URL:
    """An empty database under this name, in place of the one there was."""
    admin = sa.make_url(servers.postgres_url)
    with psycopg.connect(conninfo(admin), autocommit=True) as connection:
        connection.execute(SQL("drop database if exists {} with (force)").format(Identifier(name)))
        connection.execute(SQL("create database {}").format(Identifier(name)))
    url = admin.set(database=name)
    if projection:
        with psycopg.connect(conninfo(url), autocommit=True) as connection:
            connection.execute(projection.encode())
    return url


def databases_of(servers: Infrastructure, peer: str) -> str:
    """The conninfo of a peer's databases, with ANY_SERVICE where a service's name belongs."""
    return conninfo(sa.make_url(servers.postgres_url).set(database=database(ANY_SERVICE, peer)))


def conninfo(url: sa.URL) -> str:
    """A URL as psycopg itself reads it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
