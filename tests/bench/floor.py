"""The floor: what RabbitMQ, PostgreSQL and Python cost when nothing is decided and nobody speaks HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kombu.connection import Connection

from deploy.local.infrastructure import Infrastructure
from tests.bench.contest import Contestant, Sold
from tests.bench.load import Report
from tests.bench.measures import spent
from tests.bench.peers import slice_load, slice_saga
from tests.bench.peers.flow import SERVICES, database
from tests.bench.processes import databases_of, new_database, started

PEER, SHARE = "floor", 4.0


@contextmanager
def floor(servers: Infrastructure, var: Path) -> Iterator[Contestant]:
    """Seven bare loops, ready for orders. They are given more orders than the others, as they are done sooner."""
    for service in SERVICES:
        new_database(servers, database(service, PEER), slice_saga.TABLES)
    databases = databases_of(servers, PEER)
    connection = Connection(servers.amqp_url).transport.establish_connection()
    slice_saga.prepare(connection.channel())
    connection.close()
    environment = {"DATABASES": databases, "AMQP_URL": servers.amqp_url, "PYTHONPATH": str(Path.cwd())}
    commands = {service: [sys.executable, "-m", slice_saga.__name__, service] for service in SERVICES}
    with started(commands, environment, servers, var / "logs") as processes:

        def sell(orders: int, callers: int) -> Sold:
            before = processes.processor_seconds()
            done = subprocess.run(
                [sys.executable, "-m", slice_load.__name__, str(orders), str(callers)],
                env={**os.environ, **environment},
                stdout=subprocess.PIPE,
                check=True,
            )
            report = Report(**json.loads(done.stdout))
            processes.check()
            return Sold(report, spent(before, processes.processor_seconds()))

        yield Contestant("the floor", sell, SHARE)
