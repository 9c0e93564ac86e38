"""`kameng verify` proves the state of services; `kameng rebuild` rebuilds their tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.common import (
    Json,
    console,
    fail,
    services_of,
)
from cli.kept_secrets import unfit_secrets
from cli.parked import start_over
from cli.places import (
    AnyVar,
    InCluster,
    Place,
    place_of,
)
from cli.proofs import (
    Logs,
    Proof,
    changed_logs,
    complaints,
    prove,
    unknown,
    verify_service,
)
from shared.eventstore import log
from shared.eventstore.divergence import disagreements
from shared.eventstore.engines import open_engine
from shared.eventstore.unreadable import Unreadable, described
from shared.projections import versions
from shared.projections.online_rebuild import CannotRebuild, OnlineRebuild
from shared.projections.rebuild import rebuild
from shared.runtime.embedded import InUse, lock_folder
from shared.runtime.service import Service

OUTDATED = "outdated"


def verify_services(
    context: typer.Context,
    service: Annotated[str | None, typer.Argument(help="Only its log and tables. 仅此服务。")] = None,
    var: AnyVar = None,
    cluster: InCluster = False,
    as_json: Json = False,
) -> None:
    """Prove that keys, orders, money and state are right, from the logs alone; also while it is at work. 验证。"""
    services = services_of(context)
    with place_of(var, services, cluster=cluster) as place:
        if service is None:
            proofs = _all_proofs(services, place.logs)
        else:
            proofs = [proof_of(_named(services, service)[0], place.logs)]
        if not place.is_cluster and (lost := unfit_secrets(place.var)):
            proofs.append(Proof("secrets_kept", "what is sealed can be opened", "密封内容可以打开", False, lost))
    console.print(proof_table(proofs))
    if as_json:
        typer.echo(json.dumps({"proofs": [asdict(proof) for proof in proofs]}, ensure_ascii=False))
    if not all(proof.ok for proof in proofs):
        raise typer.Exit(1)


def _all_proofs(services: Sequence[Service], logs: Logs) -> list[Proof]:
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task("proving", total=3 + len(services))
        show = partial(bar.update, task, advance=1)
        return prove(services, logs, lambda name: show(description=name), drained=False)


def proof_of(service: Service, logs: Logs) -> Proof:
    """Whether one service's tables equal what its log, and the logs that it reads, say."""
    read = {name: logs[name] for name in (service.name, *service.sources())}
    broken, detail = list(changed_logs(read).values()), ""
    if not broken:
        try:
            verdict = verify_service(service, logs)
        except Exception as error:  # noqa: BLE001 - told as what it is: nothing is proven
            broken = [f"{service.name} can't be rebuilt: {described(error)}"]
        else:
            broken, detail = list(complaints(verdict)), f"{verdict.walked} events"
    broken += [*disagreements(logs, service.name), *unknown(read)]
    english, chinese = f"rebuilt state of {service.name} equals live state", f"{service.name} 重建状态与现状一致"
    return Proof("rebuild_equal", english, chinese, not broken, "; ".join(broken) or detail)


def _named(services: Sequence[Service], name: str) -> list[Service]:
    wanted = [one for one in services if name in (one.name, "all")]
    return wanted or fail(f"there is no service {name}: {', '.join(one.name for one in services)}, or all.", code=2)


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
    service: Annotated[
        str,
        typer.Argument(help="The service, `all`, or `outdated`: those of an older version. 服务名、all 或 outdated。"),
    ],
    var: AnyVar = None,
    cluster: InCluster = False,
) -> None:
    """Rebuild a service's tables from the logs and put them in place of the old. 重建。

    A folder's `serve` must be stopped first; the cluster works on.
    """
    services = services_of(context)
    wanted = list(services) if service == OUTDATED else _named(services, service)
    with place_of(var, services, cluster=cluster) as place:
        if changed := changed_logs(place.logs):
            fail(f"{'; '.join(changed.values())}. Nothing is rebuilt from it.")
        if service == OUTDATED and not (wanted := [one for one in services if _is_outdated(one, place)]):
            console.print("all tables are of this version 均为当前版本")
        try:
            with nullcontext() if cluster else lock_folder(place.var), Progress(console=console) as bar:
                for one in wanted:
                    rebuild_service(one, place, bar)
        except InUse as error:
            fail(f"{error}. Stop it first.")
        except CannotRebuild as error:
            fail(f"{error}. Nothing of this service was changed.")
        except (LookupError, TypeError, ValueError, Unreadable, log.Fenced) as error:
            fail(f"{described(error)}. Nothing of this service was changed; `kameng verify` tells more.")


def _is_outdated(service: Service, place: Place) -> bool:
    with place.logs[service.name].connect() as connection:
        return versions.is_outdated(connection, service.projection)


def rebuild_service(service: Service, place: Place, bar: Progress) -> None:
    """Rebuild one service's tables; in the cluster its writer starts over at the end. Raises CannotRebuild."""
    task = bar.add_task(service.name, total=None)

    def progress(source: str, done: int, total: int) -> None:
        bar.update(task, description=f"{service.name} ← {source}", completed=done, total=total)

    live = open_engine(place.urls[service.name], writer=True)
    of_service = (service.name, service.projection, service.foreign_event_names(), place.logs, live, progress)
    try:
        if place.is_cluster:
            folded = OnlineRebuild(*of_service, plans=service.plans, now=datetime.now(UTC)).run()
            start_over(live, service.name)
        else:
            folded = rebuild(*of_service, plans=service.plans, now=datetime.now(UTC))
    finally:
        live.dispose()
    bar.update(task, description=f"{service.name}: {folded} events", completed=1, total=1)
