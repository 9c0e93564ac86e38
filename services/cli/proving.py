"""`kameng verify` and `kameng rebuild`."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from typing import Annotated

import sqlalchemy as sa
import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from services.cli.common import VAR, Json, Var, console, fail, open_logs, services_of
from services.cli.proofs import Logs, Proof, changed_logs, projected, prove
from shared.eventlog.engines import open_engine
from shared.eventlog.rebuild import rebuild
from shared.hosting.embedded import InUse, database_url, lock_folder
from shared.hosting.service import Service


def verify_services(context: typer.Context, var: Var = VAR, as_json: Json = False) -> None:
    """Prove that keys, orders, money and state are right, from the logs alone; also beside a running `serve`. 验证。"""
    services = services_of(context)
    logs = open_logs(var, services)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task("proving", total=3 + len(services))
        told = partial(bar.update, task, advance=1)
        proofs = prove(services, logs, lambda name: told(description=name), drained=False)
    console.print(proof_table(proofs))
    if as_json:
        typer.echo(json.dumps({"proofs": [asdict(proof) for proof in proofs]}, ensure_ascii=False))
    if not all(proof.ok for proof in proofs):
        raise typer.Exit(1)


def proof_table(proofs: list[Proof]) -> Table:
    """The proofs for a person."""
    table = Table(title="Proofs 证明", show_lines=False)
    table.add_column("")
    table.add_column("Claim 命题")
    table.add_column("Evidence 依据", overflow="fold")
    for proof in proofs:
        mark = "[green]holds 成立[/green]" if proof.ok else "[red]BROKEN 不成立[/red]"
        table.add_row(mark, f"{proof.english}\n{proof.chinese}", proof.detail)
    return table


def rebuild_tables(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="The service, or `all`. 服务名或 all。")],
    var: Var = VAR,
) -> None:
    """Rebuild a service's tables from the logs and put them in place of the old. Stop `serve` first. 重建。"""
    services = services_of(context)
    wanted = [one for one in services if service in (one.name, "all")]
    if not wanted:
        fail(f"there is no service {service}: {', '.join(one.name for one in services)}, or all.", code=2)
    logs = open_logs(var, services)
    if changed := changed_logs(logs):
        fail(f"{'; '.join(changed.values())}. Nothing is rebuilt from it.")
    try:
        with lock_folder(var), Progress(console=console) as bar:
            for one in wanted:
                _rebuild(one, logs, open_engine(database_url(var, one.name), writer=True), bar)
    except InUse as error:
        fail(f"{error}. Stop it first.")


def _rebuild(service: Service, logs: Logs, live: sa.Engine, bar: Progress) -> None:
    task = bar.add_task(service.name, total=None)

    def progress(source: str, done: int, total: int) -> None:
        bar.update(task, description=f"{service.name} ← {source}", completed=done, total=total)

    folded = rebuild(service.name, service.tables, projected(service), logs, live, progress)
    bar.update(task, description=f"{service.name}: {folded} events", completed=1, total=1)
    live.dispose()
