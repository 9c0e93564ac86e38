"""`kameng demo`: the whole marketplace on this machine, with proofs."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from statistics import quantiles
from typing import Annotated, Any

import sqlalchemy as sa
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli import clustering
from cli.common import (
    Json,
    console,
    errors,
    fail,
    services_of,
)
from cli.places import open_logs
from cli.proofs import Proof, prove
from cli.proving import proof_table
from demo.running import Ran, Report, run_demo
from demo.scenario import SMALLEST
from demo.shop import Answer, Unexpected, until
from deploy.local import infrastructure
from deploy.local.infrastructure import InfrastructureError
from services import NAMES
from shared.eventstore import log_reader
from shared.telemetry.logs import configure_logs

VAR = Path("var/demo")
# Few enough orders for each customer that the risk rules take nobody for a robot at full speed.
CUSTOMERS, ORDERS_A_CUSTOMER = 100, 20
ENDS = {"OrderCompleted", "OrderCancelled"}


def demo(
    context: typer.Context,
    orders: Annotated[int, typer.Option(min=SMALLEST, help="How many orders. 订单数。")] = 1000,
    customers: Annotated[
        int | None, typer.Option(min=1, help="How many customers; 100, or as many as so many orders want. 客户数。")
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws the same orders again. 随机种子。")] = 1,
    var: Annotated[Path, typer.Option("--var", help="Folder for the data; made anew. 数据目录（重建）。")] = VAR,
    as_json: Json = False,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="On PostgreSQL and RabbitMQ, a process a service. 用集群运行。")
    ] = False,
) -> None:
    """Import a catalogue, sell a thousand orders over HTTP, take every path, and prove the result. 演示。"""
    configure_logs(level="ERROR")
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def progress(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total or None)

        size = (orders, customers or max(CUSTOMERS, orders // ORDERS_A_CUSTOMER), seed)
        try:
            if cluster:
                ran, findings = _on_cluster(context, var, size, progress)
            else:
                ran = run_demo(var, *size, progress)
                findings = _findings(context, open_logs(var, services_of(context)), progress)
        except (Unexpected, InfrastructureError) as error:
            fail(str(error))
    proofs = findings.proofs
    summary = _summary(ran, orders, findings, var)
    _show(ran, summary, proofs, var)
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
    if ran.failures or not all(proof.ok for proof in proofs):
        raise typer.Exit(1)


@dataclass(frozen=True)
class Findings:
    """What the logs show at the end: the proofs, the seconds from the first order placed to the last one ended, and the
    seconds from paid to delivered of each order with only keys."""

    proofs: list[Proof]
    seconds: float
    waits: list[float]


def _findings(context: typer.Context, logs: dict[str, sa.Engine], progress: Report) -> Findings:
    proofs = prove(services_of(context), logs, lambda name: progress(f"proving: {name}", 0, 0))
    return Findings(proofs, _placed_to_ended(logs["order"]), _paid_to_delivered(logs))


def _on_cluster(
    context: typer.Context, var: Path, size: tuple[int, int, int], progress: Report
) -> tuple[Ran, Findings]:
    """The same demo on private servers, which end with it."""
    infrastructure.down(var)
    found: list[Findings] = []
    clusters: list[clustering.Cluster] = []
    before: dict[str, float] = {}
    used: dict[str, float] = {}

    @contextmanager
    def serve(var: Path, environment: dict[str, str], port: int) -> Iterator[str]:
        def say(what: str) -> None:
            progress(what, 0, 0)

        with clustering.running(NAMES, var, port, say, environment) as (cluster, logs):
            clusters.append(cluster)
            yield cluster.printed("gateway-http")
            say("waiting for the last events")
            asyncio.run(until("every reader to catch up", lambda: _caught_up(logs)))
            used.update({name: spent - before[name] for name, spent in cluster.processor_seconds().items()})
            found.append(_findings(context, logs, progress))

    def opening() -> None:
        before.update(clusters[0].processor_seconds())

    try:
        ran = run_demo(var, *size, progress, serve, opening)
    finally:
        infrastructure.down(var)
    return replace(ran, processor_seconds=used), found[0]


async def _caught_up(logs: dict[str, sa.Engine]) -> Answer | None:
    behind = any(lag for known in clustering.lags(logs).values() for lag in known.values())
    return None if behind else {}


def _placed_to_ended(order: sa.Engine) -> float:
    """Seconds from the first order placed to the last one ended."""
    times = {True: [], False: []}
    for recorded in log_reader.read_all(order, "order"):
        if recorded.name == "OrderPlaced" or recorded.name in ENDS:
            times[recorded.name in ENDS].append(recorded.at)
    return (max(times[True]) - min(times[False])).total_seconds()


def _paid_to_delivered(logs: dict[str, sa.Engine]) -> list[float]:
    """Seconds from payment to delivered keys, for each order that had only keys to wait for."""
    paid: dict[str, datetime] = {}
    seconds = []
    for recorded in log_reader.read_all(logs["order"], "order"):
        if recorded.name == "PaymentRecorded":
            paid[recorded.stream.removeprefix("order-")] = recorded.at
    for recorded in log_reader.read_all(logs["fulfillment"], "fulfillment"):
        if recorded.name == "KeysDelivered":
            order_id, _, line = recorded.stream.removeprefix("delivery-").partition("/")
            if line == "1" and order_id in paid:
                seconds.append((recorded.at - paid[order_id]).total_seconds())
    return seconds


def _summary(ran: Ran, orders: int, findings: Findings, var: Path) -> dict[str, Any]:
    proofs, cuts = findings.proofs, quantiles(findings.waits, n=100) if len(findings.waits) > 1 else [0.0] * 99
    outcomes: dict[str, dict[str, int]] = {}
    for (path, outcome), count in sorted(ran.outcomes.items()):
        outcomes.setdefault(path, {})[outcome] = count
    return {
        "orders": orders,
        "seconds": round(findings.seconds, 2),
        "orders_per_second": round(orders / findings.seconds, 1),
        "paid_to_delivered_ms": {"p50": round(cuts[49] * 1000, 1), "p99": round(cuts[98] * 1000, 1)},
        "imports": {kind: report["counts"] for kind, report in ran.imports.items()},
        "outcomes": outcomes,
        "failures": ran.failures,
        "proofs": {proof.name: {"ok": proof.ok, "detail": proof.detail} for proof in proofs},
        "ok": not ran.failures and all(proof.ok for proof in proofs),
        "var": str(var),
        "processor_ms_an_order": {
            name: round(seconds * 1000 / orders, 2) for name, seconds in sorted(ran.processor_seconds.items())
        },
    }


def _show(ran: Ran, summary: dict[str, Any], proofs: list[Proof], var: Path) -> None:
    table = Table(title="What happened 发生了什么")
    table.add_column("Path 路径")
    table.add_column("Came to 结果")
    table.add_column("Orders 订单", justify="right")
    for path, outcomes in summary["outcomes"].items():
        for outcome, count in Counter(outcomes).most_common():
            table.add_row(path, outcome, str(count))
    console.print(table)
    imported = ", ".join(f"{kind} {dict(report['counts'])}" for kind, report in ran.imports.items())
    waits = summary["paid_to_delivered_ms"]
    console.print(f"Imported 导入: {imported}")
    console.print(
        f"{summary['orders']} orders in {summary['seconds']} s, from the first placed to the last ended: "
        f"[bold]{summary['orders_per_second']}[/bold] a second, every path and its waits included. "
        f"Paid to delivered 付款到交付: p50 {waits['p50']} ms, p99 {waits['p99']} ms."
    )
    console.print(proof_table(proofs))
    for failure in ran.failures[:20]:
        console.print(f"[red]{failure}[/red]")
    if ran.processor_seconds:
        used = Table(
            "Process 进程", "ms an order 每单毫秒", title="Processor time, without set-up 处理器时间（不含准备）"
        )
        for name, milliseconds in summary["processor_ms_an_order"].items():
            used.add_row(name, f"{milliseconds:.2f}")
        used.add_row("together 合计", f"{sum(summary['processor_ms_an_order'].values()):.2f}")
        console.print(used)
    again = f"kameng cluster up --var {var}" if ran.processor_seconds else f"make serve VAR={var}"
    console.print(f"Look around 查看: [bold]{again}[/bold], then open http://127.0.0.1:8000 (admin / {ran.password})")
