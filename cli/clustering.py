"""Starts the cluster's processes on this machine, waits for them, and ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import sqlalchemy as sa

from cli.migrating import database_of, migrate_service
from cli.started import Started, identify, processor_seconds
from deploy.local import infrastructure
from deploy.local.infrastructure import InfrastructureError
from services import declaration_of, readers_of
from shared.eventstore import log_reader
from shared.eventstore.engines import open_engine
from shared.projections import versions
from shared.projections.rebuild import positions
from shared.projections.replay import silent
from shared.security.private import OTHERS, PASSABLE, private_folder
from shared.security.secrets import Secrets

READY_SECONDS = 180.0  # fifteen processes, on a machine that may have other things to do
PUBLIC_URL = "KAMENG_PUBLIC_URL"
WEBHOOKS = "gateway-webhooks"
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
"""Fifteen processes import the same modules. With this set, each would compile them again, which doubles a start."""


@dataclass(frozen=True, slots=True)
class Process:
    """The command and environment of one process of the cluster."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


def processes(
    services: Sequence[str],
    urls: Mapping[str, str],
    amqp_url: str,
    var: Path,
    port: int,
    *,
    publish: bool = False,
    webhooks: bool = False,
) -> list[Process]:
    """Every process of the cluster: a writer and a log server for each service, and the gateway's HTTP. With `publish`
    also a publisher for each service, with `webhooks` the process that posts events to webhook endpoints."""
    folder = var.absolute()
    here = {"KAMENG_AMQP_URL": amqp_url, "KAMENG_VAR": str(folder)}
    found = []
    for service in services:
        own = {**here, "KAMENG_DATABASE_URL": urls[service]}
        commands = {
            "writer": ("shared.runtime.cluster", declaration_of(service), *readers_of(service)),
            "log-server": ("cli", "log-server", service),
        }
        if publish:
            commands["publisher"] = ("cli", "publisher", service)
        for kind, command in commands.items():
            name = f"{service}-{kind}"
            health = {"KAMENG_HEALTH_FILE": str(folder / f"{service if kind == 'writer' else name}.health")}
            found.append(Process(name, (sys.executable, "-m", *command), own | health))
    read_side = {**here, "KAMENG_DATABASE_URL": urls["gateway"]}
    if webhooks:
        health = {"KAMENG_HEALTH_FILE": str(folder / f"{WEBHOOKS}.health")}
        found.append(Process(WEBHOOKS, (sys.executable, "-m", "cli", "webhooks"), read_side | health))
    http = (sys.executable, "-m", "cli", "gateway", "--port", str(port))
    return [*found, Process("gateway-http", http, read_side)]


@dataclass
class Cluster:
    """The running processes of one folder. Each logs to `<var>/logs`."""

    var: Path
    address: str
    running: dict[str, subprocess.Popen[bytes]]
    described: dict[str, Process]

    def start(self, name: str) -> None:
        """Start one process, also if it ran before."""
        process = self.described[name]
        inherited = {name: value for name, value in os.environ.items() if name != NO_BYTECODE}
        with (self.var / "logs" / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(  # noqa: S603 - our own command
                process.command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**inherited, **process.environment, "COLUMNS": "200"},
                start_new_session=True,
                umask=OTHERS,
            )

    def stop(self, seconds: float = 30) -> None:
        """End all processes. Those that do not end in time are killed."""
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + seconds
        for process in self.running.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def processor_seconds(self) -> dict[str, float]:
        """The processor time, in seconds, of each process and each private server since it started."""
        used = {name: processor_seconds(process.pid) for name, process in self.running.items()}
        servers = infrastructure.find(self.var)
        for name, server in (("postgresql", servers and servers.postgres), ("rabbitmq", servers and servers.rabbitmq)):
            if server:
                used[name] = sum(processor_seconds(process.pid) for process in server.processes())
        return used

    def started(self) -> Started:
        """The processes that run now, to be written to a file."""
        return Started(self.address, {name: identify(process.pid) for name, process in self.running.items()})

    def printed(self, name: str) -> str:
        """The log of a process so far."""
        return (self.var / "logs" / f"{name}.log").read_text(errors="replace")


def start_cluster(
    services: Sequence[str],
    var: Path,
    port: int,
    progress: Callable[[str], None],
    environment: Mapping[str, str],
    *,
    publish: bool = False,
    webhooks: bool = False,
) -> tuple[Cluster, dict[str, sa.URL]]:
    """Bring servers, databases and processes up; returns when the gateway answers. Raises InfrastructureError.

    `environment` is added to every process. Also returns each service's database.
    """
    if changed := private_folder(var, PASSABLE):
        progress(f"{changed} files and folders were readable by other users; this is corrected")
    (var / "logs").mkdir(mode=0o700, exist_ok=True)  # the gateway's holds the first password
    servers = infrastructure.up(var, progress)
    secrets = Secrets(var / "secrets")
    urls = {}
    for service in services:
        progress(f"migrating {service}")
        migrate_service(servers.postgres_url, service, secrets)
        urls[service] = database_of(servers.postgres_url, service, secrets)
    rebuild_outdated(urls, progress)
    shown = {service: url.render_as_string(hide_password=False) for service, url in urls.items()}
    address = f"http://127.0.0.1:{port}"
    for_all = {PUBLIC_URL: os.environ.get(PUBLIC_URL, address), **environment}
    described = {
        one.name: Process(one.name, one.command, {**one.environment, **for_all})
        for one in processes(services, shown, servers.amqp_url, var, port, publish=publish, webhooks=webhooks)
    }
    cluster = Cluster(var, address, {}, described)
    try:
        for name in described:
            progress(f"starting {name}")
            cluster.start(name)
        progress("waiting for the gateway")
        _wait_until_ready(cluster)
    except BaseException:
        cluster.stop()
        raise
    return cluster, urls


def rebuild_outdated(urls: Mapping[str, sa.URL], progress: Callable[[str], None]) -> list[str]:
    """Rebuild tables of an older version. No writer may run. Returns the services with such tables."""
    logs = {service: open_engine(url, writer=False) for service, url in urls.items()}
    try:
        if not any(map(_has_events, logs.values())):
            return []
        from services import all_services  # importing it takes seconds, and a new cluster does not need it
        from shared.projections.online_rebuild import OnlineRebuild

        outdated = []
        for service in all_services():
            with logs[service.name].connect() as connection:
                if not versions.is_outdated(connection, service.projection):
                    continue
            progress(f"rebuilding the tables of {service.name}")
            OnlineRebuild(
                service.name,
                service.projection,
                service.foreign_event_names(),
                logs,
                logs[service.name],
                silent,
                plans=service.plans,
                now=datetime.now(UTC),
            ).run()
            outdated.append(service.name)
        return outdated
    finally:
        for engine in logs.values():
            engine.dispose()


def _has_events(engine: sa.Engine) -> bool:
    with engine.connect() as connection:
        return log_reader.last_position(connection) > 0


def _wait_until_ready(cluster: Cluster) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        for name, process in cluster.running.items():
            if process.poll() is not None:
                raise InfrastructureError(f"{name} ended: {cluster.printed(name)[-2000:]}")
        try:
            if httpx.get(f"{cluster.address}/readyz", timeout=2).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise InfrastructureError(f"the gateway does not answer at {cluster.address}")


@contextmanager
def running(
    services: Sequence[str],
    var: Path,
    port: int,
    progress: Callable[[str], None],
    environment: Mapping[str, str],
    *,
    publish: bool = False,
    webhooks: bool = False,
) -> Iterator[tuple[Cluster, dict[str, sa.Engine]]]:
    """A cluster with its databases, stopped at the end; the servers stay up."""
    cluster, urls = start_cluster(services, var, port, progress, environment, publish=publish, webhooks=webhooks)
    logs = {service: open_engine(url, writer=False) for service, url in urls.items()}
    try:
        yield cluster, logs
    finally:
        cluster.stop()
        for engine in logs.values():
            engine.dispose()


def lags(logs: Mapping[str, sa.Engine]) -> dict[str, dict[str, int]]:
    """How many events each service is behind each log it reads."""
    reached = {}
    for service, engine in logs.items():
        with engine.connect() as connection:
            reached[service] = positions(connection, service)
    return {
        service: {source: max(0, reached[source][source] - at) for source, at in known.items() if source != service}
        for service, known in reached.items()
    }
