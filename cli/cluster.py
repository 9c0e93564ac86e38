"""`kameng cluster`: the processes of the platform on this machine."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cli.clustering import start_cluster
from cli.common import (
    CLUSTER_VAR,
    Var,
    console,
    fail,
)
from cli.hearing import unheard
from cli.sockets import listen
from cli.started import (
    Busy,
    alone,
    forget,
    left_over,
    running,
    started,
)
from deploy.local import infrastructure
from deploy.local.infrastructure import InfrastructureError
from deploy.local.processes import Process
from services import NAMES

END_SECONDS = 30.0
app = typer.Typer(help="The cluster on this machine. 本机集群。", no_args_is_help=True)


@app.command("up")
def up(
    var: Var = CLUSTER_VAR,
    port: Annotated[int, typer.Option(help="The gateway's port. 网关端口。")] = 8000,
    publish: Annotated[
        bool, typer.Option("--publish", help="With a publisher a service, for outside subscribers. 对外发布事件。")
    ] = False,
    webhooks: Annotated[
        bool, typer.Option("--webhooks", help="With what posts events to webhook endpoints. 推送 Webhook。")
    ] = False,
) -> None:
    """Bring PostgreSQL, RabbitMQ and every process up, and leave them running. 启动集群。"""
    with _alone(var):
        left = started(var)
        if left and len(left.ended()) < len(left.processes):
            fail(f"a cluster runs in {var} already: `kameng cluster down` ends it.")
        if astray := left_over(var):
            fail(f"{len(astray)} processes of an earlier start run on {var}: `kameng cluster down` ends them.")
        listen("127.0.0.1", port).close()
        with console.status("starting") as shown:
            try:
                cluster, _ = start_cluster(NAMES, var, port, shown.update, {}, publish=publish, webhooks=webhooks)
            except InfrastructureError as error:
                fail(str(error))
        cluster.started().write(var)
    console.print(cluster.printed("gateway-http"))
    console.print(f"{len(cluster.running)} processes; their logs are in {var / 'logs'}.")


@app.command("down")
def down(var: Var = CLUSTER_VAR) -> None:
    """End the processes, those of a start that broke off as well, then the servers; the data stays. 停止集群。"""
    if not var.exists():
        fail(f"there is no {var}.")
    with _alone(var):
        left = running(var)
        at_work = {name: one for name, one in left.processes.items() if one.alive} if left else {}
        for process in at_work.values():
            process.signal(signal.SIGTERM)
        deadline = time.monotonic() + END_SECONDS
        for name, process in at_work.items():
            _await_end(name, process, deadline)
        forget(var)
        infrastructure.down(var)
        console.print(f"{len(at_work)} processes ended.")


@contextmanager
def _alone(var: Path) -> Iterator[None]:
    """Ends the command when another one is at it."""
    with ExitStack() as stack:
        try:
            stack.enter_context(alone(var))
        except Busy as error:
            fail(f"{error}: this one does nothing.")
        yield


def _await_end(name: str, process: Process, deadline: float) -> None:
    while process.alive and time.monotonic() < deadline:
        time.sleep(0.05)
    if process.alive:
        console.print(f"[yellow]{name} did not end in {END_SECONDS:.0f} s and is killed[/yellow]")
        process.signal(signal.SIGKILL)


@app.command("status")
def status(var: Var = CLUSTER_VAR) -> None:
    """Which processes run; ends with 1 when one has ended by itself, or their start broke off. 进程状态。"""
    left = running(var)
    if left is None:
        fail(f"no cluster runs in {var}.")
    ended = left.ended()
    table = Table("Process 进程", "PID", "")
    for name, process in left.processes.items():
        table.add_row(name, str(process.pid), "[red]ended 已停[/red]" if name in ended else "[green]runs 运行[/green]")
    console.print(table)
    for service in NAMES:
        for reason in unheard(var, service):
            console.print(f"{service}: {reason}", markup=False)
    if ended:
        fail(f"ended by itself: {', '.join(ended)}; {var / 'logs'} tells why, `kameng cluster down` ends the rest.")
    if left.astray:
        number = len(left.astray)
        fail(f"the start of {number} of them broke off, others may be missing: `kameng cluster down` ends them.")
