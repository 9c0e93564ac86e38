"""The platform as an operator runs it: many processes on PostgreSQL and RabbitMQ, each of which may be killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import httpx
import pytest
import sqlalchemy as sa

from cli import clustering
from cli.clustering import Cluster, Process
from demo.shop import Answer, until
from deploy.local import infrastructure
from deploy.local.infrastructure import Infrastructure
from deploy.local.server import Server
from services import NAMES, all_services
from shared.broker.client import BrokerClient
from shared.contracts import Command, Metadata
from shared.messages.messages import CommandMessage, Reply
from shared.runtime.cluster.health import HEALTH_FILE
from shared.runtime.ids import Ids
from tests.platform.platform import HttpPlatform
from tests.waiting import PATIENCE

HTTP = "gateway-http"
ANSWER_SECONDS = 10.0
S = TypeVar("S", bound=Server)
Shape = Callable[[list[Process]], Iterable[Process]]


class ClusterPlatform(HttpPlatform):
    """`cluster` are its processes, `logs` each service's database, `servers` what all of them use."""

    def __init__(self, cluster: Cluster, logs: dict[str, sa.Engine], servers: Infrastructure) -> None:
        super().__init__(cluster.var, all_services())
        self.cluster, self.logs, self.servers = cluster, logs, servers
        self.address = cluster.address

    def request(self, method: str, path: str, **how: Any) -> httpx.Response:
        return httpx.request(method, self.address + path, **{"timeout": PATIENCE, **how})

    @contextmanager
    def database(self, service: str) -> Iterator[sa.Engine]:
        yield self.logs[service]

    def send(self, command: Command, *, actor: str = "system:test") -> Reply:
        """Have a command accepted, over the broker."""
        id_ = Ids().new_id()
        message = CommandMessage(id_, command, Metadata(correlation_id=id_, causation_id=id_, actor=actor))
        with BrokerClient("test", self.servers.amqp_url, deadline_seconds=PATIENCE) as client:
            reply = client.send(command.owner, message).result(PATIENCE)
        assert reply.outcome == "accepted", reply
        return reply

    def printed(self, name: str = HTTP) -> str:
        """All that a process ever wrote."""
        return self.cluster.printed(name)

    def kameng(self, *arguments: str, code: int = 0) -> str:
        """Run a command on the cluster, as an operator does; what it prints. It must end with this code."""
        line = [sys.executable, "-m", "cli", *arguments, "--cluster", "--var", str(self.var)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=4 * PATIENCE, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def start(self, *names: str) -> None:
        for name in names:
            self.cluster.start(name)

    def kill(self, name: str) -> None:
        """End a process as a power cut does."""
        self.cluster.running[name].kill()
        self.cluster.running[name].wait()

    def restart(self, *names: str) -> None:
        """Kill these processes, and start them when all are gone."""
        for name in names:
            self.kill(name)
        self.start(*names)

    def terminate(self, *names: str) -> None:
        """Ask processes to end, and wait until they did so in good order."""
        for name in names:
            self.signal(name, signal.SIGTERM)
        for name in names:
            assert self.cluster.running[name].wait(PATIENCE) == 0, self.printed(name)[-2000:]

    def replace(self, *names: str) -> None:
        """Start processes anew, when all have ended in good order."""
        self.terminate(*names)
        self.start(*names)

    def signal(self, name: str, number: signal.Signals) -> None:
        self.cluster.running[name].send_signal(number)

    def add(self, name: str, like: str, **changes: Any) -> None:
        """Start one more process, like another but for its name and these changes."""
        first = self.cluster.described[like]
        health = {HEALTH_FILE: str(self.var / f"{name}.health")}
        environment = {**first.environment, **health}
        self.cluster.described[name] = replace(first, name=name, environment=environment, **changes)
        self.start(name)

    def remove(self, *names: str) -> None:
        """Ask added processes to end, and forget them."""
        self.terminate(*names)
        for name in names:
            del self.cluster.running[name], self.cluster.described[name]

    @contextmanager
    def second_writer(self, service: str) -> Iterator[str]:
        """One more writer of a service, asked to end at the end. Gives its process's name."""
        name = f"{service}-writer-2"
        self.add(name, f"{service}-writer")
        yield name
        self.remove(name)

    def address_of(self, name: str) -> str:
        """Where a process answers. Raises FileNotFoundError when it does not say so yet."""
        return self.address if name == HTTP else Path(self.cluster.described[name].environment[HEALTH_FILE]).read_text()

    async def readiness(self, name: str = HTTP) -> Answer | None:
        """What a process says at /readyz; None while it says nothing."""
        try:
            async with httpx.AsyncClient(timeout=ANSWER_SECONDS) as client:
                return (await client.get(f"{self.address_of(name)}/readyz")).json()
        except (FileNotFoundError, httpx.TransportError, ValueError):
            return None

    async def becomes(self, name: str, role: str) -> None:
        """Wait until a writer's process says that this is its role."""

        async def look() -> Answer | None:
            assert self.cluster.running[name].poll() is None, self.printed(name)[-2000:]
            seen = await self.readiness(name)
            return seen if seen and seen["role"] == role else None

        await until(f"{name} to be {role}", look, PATIENCE)

    def stop(self) -> None:
        self.cluster.stop()


@contextmanager
def cluster(
    var: Path,
    port: int,
    environment: Mapping[str, str],
    *,
    publish: bool = False,
    webhooks: bool = False,
    shape: Shape = iter,
    progress: Callable[[str], None] = print,
) -> Iterator[ClusterPlatform]:
    """A cluster on a folder, whose servers stay up.

    `publish`: with publishers; `webhooks`: with what posts events; `shape` may change and add processes. Raises
    InfrastructureError when the servers can't be had, or a process does not start.
    """

    def shaped(*asked: Any, **how: Any) -> list[Process]:
        return [*shape(processes(*asked, **how))]

    processes = clustering.processes
    with (
        patch.object(clustering, "processes", shaped),
        patch.object(clustering, "READY_SECONDS", 2 * PATIENCE),
        clustering.running(NAMES, var, port, progress, environment, publish=publish, webhooks=webhooks) as (
            running,
            logs,
        ),
    ):
        yield ClusterPlatform(running, logs, infrastructure.up(var, progress))


def ours(server: S | None) -> S:
    """A server that may be killed; skips when there is none."""
    if server is None:
        pytest.skip("the server is not ours to kill")
    return server
