"""A PostgreSQL whose disk for its write-ahead log is full: it ends, and whoever asks is told that nobody decides."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from deploy.local.infrastructure import Infrastructure
from deploy.local.postgres import Postgres
from shared.broker.client import BrokerClient
from shared.messages.messages import NobodyDecides
from tests.runtime.builders import press
from tests.runtime.cluster.builders import Ground, in_process
from tests.runtime.test_room import Disk, small
from tests.runtime.toy import button
from tests.waiting import PATIENCE, wait_for

__all__ = ["small"]


@pytest.fixture
def postgres_server(tmp_path_factory: pytest.TempPathFactory, small: Disk) -> Iterator[Postgres]:
    """A server of the test's own, its write-ahead log on a small disk."""
    var = tmp_path_factory.mktemp("wal")
    server = Postgres(var)
    server.up()
    server.stop()
    folder = (var / "postgres").resolve()  # elsewhere where the user that the server runs as can't get in
    log = next(folder.rglob("pg_wal"))
    place = small.folder / "wal"
    shutil.copytree(log, place)
    for entry in (place, *place.rglob("*")):
        shutil.chown(entry, log.stat().st_uid, log.stat().st_gid)
    shutil.rmtree(log)
    log.symlink_to(place)
    server.start()
    yield server
    server.kill()


def test_what_is_asked_while_the_write_ahead_log_has_no_room_is_answered_soon_and_done_later(
    servers: Infrastructure, postgres_server: Postgres, small: Disk, tmp_path: Path
) -> None:
    ground = Ground(replace(servers, postgres_url=postgres_server.url), tmp_path)
    ground.delete_queue("button")
    with (
        in_process(button(), ground),
        BrokerClient("test", servers.amqp_url, deadline_seconds=3600, patience_seconds=1.5) as client,
    ):
        wait_for(lambda: client.send("button", press("first")).exception(PATIENCE) is None, "a writer")
        small.fill()
        with suppress(DBAPIError), ground.engine.connect() as connection:
            while True:
                connection.execute(sa.func.pg_switch_wal().select())
        wait_for(lambda: not postgres_server.running, "a server that gave up")

        assert isinstance(client.send("button", press("second")).exception(PATIENCE), NobodyDecides)

        small.clear()
        postgres_server.start()
        wait_for(lambda: client.send("button", press("second")).exception(PATIENCE) is None, "a writer again")
    assert len(ground.events("button")) == 2
    ground.engine.dispose()
