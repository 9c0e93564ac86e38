"""PostgreSQL and RabbitMQ in a folder of their own, for tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local import infrastructure
from deploy.local.infrastructure import Infrastructure, InfrastructureError


@contextmanager
def folder_with_servers(prefix: str) -> Iterator[tuple[Path, Infrastructure]]:
    """A new folder whose servers run; both are gone at the end. Skips only when servers can't be had."""
    var = Path(tempfile.mkdtemp(prefix=prefix))
    var.chmod(0o755)  # the users that servers run as must get in
    try:
        found = infrastructure.up(var, print)
    except InfrastructureError as error:
        shutil.rmtree(var, ignore_errors=True)
        pytest.skip(f"no servers: {error}")
    try:
        yield var, found
    finally:
        end_servers(var)
        shutil.rmtree(var, ignore_errors=True)


def end_servers(var: Path) -> None:
    """End the servers of a folder whose data nobody wants any more: none is asked to keep it, which takes seconds."""
    found = infrastructure.find(var)
    for server in (found.postgres, found.rabbitmq) if found else ():
        if server is not None:
            server.kill()
    infrastructure.down(var)
