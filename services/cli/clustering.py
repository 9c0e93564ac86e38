"""`kameng cluster`, `kameng gateway` and `kameng log-server`: the platform as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import sqlalchemy as sa
import typer
from rich.table import Table

from deploy.local import infrastructure
from deploy.local.infrastructure import InfrastructureError
from services.cli.common import Var, console, fail, services_of
from services.cli.http import http_server, listen, serve_api
from services.cli.migrating import database_of, migrate_service
from shared.eventlog.engines import open_engine
from shared.eventlog.rebuild import positions
from shared.hosting.brokered import Brokered
from shared.hosting.ports import Ports
from shared.hosting.service import Surroundings
from shared.hosting.settings import Settings
from shared.messaging.logserver import LogServer
from shared.security.secrets import Secrets
from shared.telemetry.logs import configure_logs

app = typer.Typer(help="The cluster on this machine. 本机集群。", no_args_is_help=True)
VAR = Path("var/cluster")
READY_SECONDS = 60.0
DatabaseUrl = Annotated[str, typer.Option(envvar="KAMENG_DATABASE_URL", show_default=False, help="Its PostgreSQL.")]
AmqpUrl = Annotated[str, typer.Option(envvar="KAMENG_AMQP_URL", show_default=False, help="The broker. 消息代理。")]


def log_server(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="Whose log. 服务名。")],
    database_url: DatabaseUrl = "",
    amqp_url: AmqpUrl = "",
) -> None:
    """Publish a service's log in slices, announce its head, answer pulls; until told to stop. 日志服务。"""
    configure_logs()
    _needed(KAMENG_DATABASE_URL=database_url, KAMENG_AMQP_URL=amqp_url)
    if service not in [one.name for one in services_of(context)]:
        fail(f"there is no service {service}.", code=2)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    engine = open_engine(database_url.replace("{service}", service), writer=False)
    LogServer(service, engine, amqp_url).run(stop)
    engine.dispose()


def gateway(
    database_url: DatabaseUrl = "",
    amqp_url: AmqpUrl = "",
    host: Annotated[str, typer.Option(envvar="KAMENG_HOST", help="Address to listen on. 监听地址。")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="KAMENG_PORT", help="Port; 0 picks a free one. 监听端口。")] = 8000,
) -> None:
    """Serve the HTTP API of the cluster, until told to stop. 网关。"""
    configure_logs()
    _needed(KAMENG_DATABASE_URL=database_url, KAMENG_AMQP_URL=amqp_url)
    listening = listen(host, port)
    address = f"http://{host}:{listening.getsockname()[1]}"
    settings = Settings()
    if "public_url" not in settings.model_fields_set:
        settings = settings.model_copy(update={"public_url": address})
    surroundings = Surroundings(settings, Ports(), Secrets(settings.var / "secrets"))
    reads = open_engine(database_url.replace("{service}", "gateway"), writer=False)
    with Brokered("gateway", reads, amqp_url, surroundings) as backend:
        serve_api(backend, http_server(backend), listening, address)


def _needed(**values: str) -> None:
    if missing := [name for name, value in values.items() if not value]:
        fail(f"{' and '.join(missing)} must be set.", code=2)


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the cluster, as its supervisor knows it."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


def processes(services: Sequence[str], urls: Mapping[str, str], amqp_url: str, var: Path, port: int) -> list[Process]:
    """Every process of the cluster: a writer and a log server a service, and the gateway's HTTP."""
    here = {"KAMENG_AMQP_URL": amqp_url, "KAMENG_VAR": str(var.absolute())}
    found = []
    for service in services:
        own = {**here, "KAMENG_DATABASE_URL": urls[service]}
        health = {"KAMENG_HEALTH_FILE": str(var.absolute() / f"{service}.health")}
        writer = (sys.executable, "-m", "shared.hosting.cluster", f"services.{service}.service:SERVICE")
        found.append(Process(f"{service}-writer", writer, own | health))
        served = (sys.executable, "-m", "services", "log-server", service)
        found.append(Process(f"{service}-log-server", served, own))
    http = (sys.executable, "-m", "services", "gateway", "--port", str(port))
    return [*found, Process("gateway-http", http, {**here, "KAMENG_DATABASE_URL": urls["gateway"]})]


@dataclass
class Cluster:
    """The running processes of one folder, each with its log in `<var>/logs`."""

    var: Path
    address: str
    running: dict[str, subprocess.Popen[bytes]]
    described: dict[str, Process]

    def start(self, name: str) -> None:
        """Start one process, anew if it ran before."""
        process = self.described[name]
        with (self.var / "logs" / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(  # noqa: S603 - our own command
                process.command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **process.environment, "COLUMNS": "200"},
                start_new_session=True,
            )

    def stop(self, seconds: float = 30) -> None:
        """End all of them gracefully, and by force what does not end in time."""
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
        """What each process, and each private server, has used of the processor since it started."""
        used = {name: _processor_seconds(process.pid) for name, process in self.running.items()}
        servers = infrastructure.find(self.var)
        for name, server in (("postgresql", servers and servers.postgres), ("rabbitmq", servers and servers.rabbitmq)):
            if server:
                used[name] = sum(_processor_seconds(process.pid) for process in server.processes())
        return used

    def printed(self, name: str) -> str:
        """What a process printed so far."""
        return (self.var / "logs" / f"{name}.log").read_text(errors="replace")


def _processor_seconds(pid: int) -> float:
    """User and system time of a process and of its children that ended (proc(5), stat, fields 14 to 17)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def start_cluster(
    services: Sequence[str], var: Path, port: int, told: Callable[[str], None], environment: Mapping[str, str]
) -> tuple[Cluster, dict[str, sa.URL]]:
    """Bring servers, databases and processes up; returns when the gateway answers. Raises InfrastructureError.

    `environment` is added to every process. Also returns each service's database.
    """
    var.mkdir(parents=True, exist_ok=True)
    (var / "logs").mkdir(mode=0o700, exist_ok=True)  # the gateway's holds the first password
    servers = infrastructure.up(var, told)
    secrets = Secrets(var / "secrets")
    urls = {}
    for service in services:
        told(f"migrating {service}")
        migrate_service(servers.postgres_url, service, secrets)
        urls[service] = database_of(servers.postgres_url, service, secrets)
    shown = {service: url.render_as_string(hide_password=False) for service, url in urls.items()}
    address = f"http://127.0.0.1:{port}"
    described = {
        one.name: Process(one.name, one.command, {**one.environment, "KAMENG_PUBLIC_URL": address, **environment})
        for one in processes(services, shown, servers.amqp_url, var, port)
    }
    cluster = Cluster(var, address, {}, described)
    for name in described:
        told(f"starting {name}")
        cluster.start(name)
    told("waiting for the gateway")
    _wait_until_ready(cluster)
    return cluster, urls


def _wait_until_ready(cluster: Cluster) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        for name, process in cluster.running.items():
            if process.poll() is not None:
                cluster.stop()
                raise InfrastructureError(f"{name} ended: {cluster.printed(name)[-2000:]}")
        try:
            if httpx.get(f"{cluster.address}/readyz", timeout=2).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    cluster.stop()
    raise InfrastructureError(f"the gateway does not answer at {cluster.address}")


@contextmanager
def running(
    services: Sequence[str], var: Path, port: int, told: Callable[[str], None], environment: Mapping[str, str]
) -> Iterator[tuple[Cluster, dict[str, sa.Engine]]]:
    """A cluster with its databases, stopped at the end; the servers stay up."""
    cluster, urls = start_cluster(services, var, port, told, environment)
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


@app.command("up")
def up(
    context: typer.Context,
    var: Var = VAR,
    port: Annotated[int, typer.Option(help="The gateway's port. 网关端口。")] = 8000,
) -> None:
    """Bring PostgreSQL, RabbitMQ and every process up, and leave them running. 启动集群。"""
    told_file = var / "processes.json"
    if told_file.exists():
        fail(f"{told_file} says that a cluster runs already: `kameng cluster down` ends it.")
    listen("127.0.0.1", port).close()
    names = [service.name for service in services_of(context)]
    with console.status("starting") as status:
        try:
            cluster, _ = start_cluster(names, var, port, status.update, {})
        except InfrastructureError as error:
            fail(str(error))
    told_file.write_text(json.dumps({name: process.pid for name, process in cluster.running.items()}))
    console.print(cluster.printed("gateway-http"))
    console.print(f"{len(cluster.running)} processes; their logs are in {var / 'logs'}.")


@app.command("down")
def down(var: Var = VAR) -> None:
    """End the processes, then the servers; the data stays. 停止集群。"""
    told_file = var / "processes.json"
    pids = json.loads(told_file.read_text()) if told_file.exists() else {}
    for pid in pids.values():
        _send(pid, signal.SIGTERM)
    for name, pid in pids.items():
        _end(name, pid)
    told_file.unlink(missing_ok=True)
    infrastructure.down(var)
    console.print(f"{len(pids)} processes ended.")


def _end(name: str, pid: int, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
        time.sleep(0.05)
    if Path(f"/proc/{pid}").exists():
        console.print(f"[yellow]{name} did not end in {seconds:.0f} s and is killed[/yellow]")
        _send(pid, signal.SIGKILL)


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


@app.command("status")
def status(var: Var = VAR) -> None:
    """Which processes run. 进程状态。"""
    told_file = var / "processes.json"
    if not told_file.exists():
        fail(f"no cluster runs in {var}.")
    table = Table("Process 进程", "PID", "")
    for name, pid in json.loads(told_file.read_text()).items():
        alive = Path(f"/proc/{pid}").exists()
        table.add_row(name, str(pid), "[green]runs 运行[/green]" if alive else "[red]ended 已停[/red]")
    console.print(table)
