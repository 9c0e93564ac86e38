"""PostgreSQL and RabbitMQ for a cluster on this machine, wherever they can be had.

In this order: servers whose addresses the environment gives in KAMENG_POSTGRES_URL and KAMENG_AMQP_URL (both);
containers by Docker Compose, when an engine answers (untested where none runs); private servers from Debian's packages,
installed when missing and allowed. What a folder holds already is used again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.compose import Compose, engine_answers
from deploy.local.packages import ensure_installed
from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.waiting import InfrastructureError

__all__ = ["Infrastructure", "InfrastructureError", "down", "find", "up"]

POSTGRES_VARIABLE, AMQP_VARIABLE = "KAMENG_POSTGRES_URL", "KAMENG_AMQP_URL"


@dataclass(frozen=True)
class Infrastructure:
    """Where the servers are: postgresql+psycopg://superuser:password@host:port/postgres, amqp://user:password@host:port/.

    `postgres` and `rabbitmq` control private servers; None when the servers are not ours or in containers.
    """

    postgres_url: str = field(repr=False)
    amqp_url: str = field(repr=False)
    where: str
    postgres: Postgres | None = None
    rabbitmq: RabbitMQ | None = None


def up(var: Path, told: Callable[[str], None]) -> Infrastructure:
    """Use what runs, start what does not, and return when both servers answer. Safe to call from many processes.

    `told` hears a line before whatever takes long. Raises InfrastructureError.
    """
    if given := _given():
        return given
    with _alone(var):
        private, compose = _private(var), Compose(var)
        if not any(server.made for server in private) and (compose.made or engine_answers()):
            told("Starting PostgreSQL and RabbitMQ with Docker Compose")
            compose.up()
            return _in_containers(compose)
        ensure_installed(var / "infrastructure.log", told)
        for server in private:
            if not server.running:
                told(f"Starting {server.name}")
            server.up()
        return _on_our_own(var)


def find(var: Path) -> Infrastructure | None:
    """What `up` gave, as long as both servers run; else None. Starts nothing."""
    if given := _given():
        return given
    if all(server.running for server in _private(var)):
        return _on_our_own(var)
    compose = Compose(var)
    return _in_containers(compose) if compose.running else None


def down(var: Path) -> None:
    """Stop the private servers or containers of `var`, each if it runs; data stays. Never stops given servers."""
    if not var.exists():
        return
    with _alone(var), ExitStack() as stopping:
        for server in (*_private(var), Compose(var)):
            stopping.callback(server.stop)


def _given() -> Infrastructure | None:
    postgres_url, amqp_url = os.environ.get(POSTGRES_VARIABLE), os.environ.get(AMQP_VARIABLE)
    if postgres_url and amqp_url:
        return Infrastructure(postgres_url, amqp_url, where="given by the environment")
    if postgres_url or amqp_url:
        raise InfrastructureError(f"give both {POSTGRES_VARIABLE} and {AMQP_VARIABLE}, or neither")
    return None


def _private(var: Path) -> tuple[Postgres, RabbitMQ]:
    return Postgres(var), RabbitMQ(var)


def _on_our_own(var: Path) -> Infrastructure:
    postgres, rabbitmq = _private(var)
    return Infrastructure(postgres.url, rabbitmq.url, f"private servers under {var}", postgres, rabbitmq)


def _in_containers(compose: Compose) -> Infrastructure:
    return Infrastructure(compose.postgres_url, compose.amqp_url, where="containers of Docker Compose")


@contextmanager
def _alone(var: Path) -> Iterator[None]:
    """One at a time: whoever comes second finds the servers running."""
    var.mkdir(parents=True, exist_ok=True)
    with (var / "infrastructure.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
