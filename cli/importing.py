"""`kameng import`: products and card keys from a spreadsheet."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.common import CLUSTER_VAR, VAR, Json, console, fail, services_of, show_administrator
from cli.places import AnyVar
from cli.started import running
from services import read_settings
from services.gateway.access.auth import Principal, issue
from services.gateway.access.bootstrap import USERNAME, ensure_administrator, interrupt_imports
from services.gateway.http.app import create_app
from shared.runtime.clock import Clock
from shared.runtime.embedded import Embedded, InUse
from shared.security.secrets import Secrets
from shared.telemetry.logs import configure_logs

app = typer.Typer(help="Import products or card keys from .xlsx or .csv. 导入商品或卡密。", no_args_is_help=True)
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An .xlsx or .csv file. 表格文件。")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell every row's fate. 只预演，不写入。")]
Encoding = Annotated[
    str | None, typer.Option(help="What a text file is written in, such as windows-1251. 文本文件的编码。")
]
IntoCluster = Annotated[bool, typer.Option("--cluster", help="Into the cluster that runs here. 导入本机集群。")]
ENOUGH = httpx.Timeout(10, read=600, write=600)
ASK_SECONDS = 0.5


@app.command("products")
def products(
    context: typer.Context,
    file: File,
    dry_run: DryRun = False,
    encoding: Encoding = None,
    var: AnyVar = None,
    cluster: IntoCluster = False,
    as_json: Json = False,
) -> None:
    """List or change a product a row. 导入商品。"""
    folder = var or (CLUSTER_VAR if cluster else VAR)
    _run(context, ImportCommand("products", file, dry_run, encoding, folder, cluster), as_json)


@app.command("keys")
def keys(
    context: typer.Context,
    file: File,
    dry_run: DryRun = False,
    encoding: Encoding = None,
    var: AnyVar = None,
    cluster: IntoCluster = False,
    as_json: Json = False,
) -> None:
    """Seal and load a card key a row. 导入卡密。"""
    folder = var or (CLUSTER_VAR if cluster else VAR)
    _run(context, ImportCommand("keys", file, dry_run, encoding, folder, cluster), as_json)


@dataclass(frozen=True, slots=True)
class ImportCommand:
    """What to import, and into which folder."""

    kind: Literal["products", "keys"]
    file: Path
    dry_run: bool
    encoding: str | None
    var: Path
    is_cluster: bool


def _run(context: typer.Context, command: ImportCommand, as_json: bool) -> None:
    configure_logs(level="WARNING")
    try:
        report = asyncio.run(_import(context, command))
    except httpx.ConnectError as error:
        fail(f"{error.request.url.host}:{error.request.url.port} does not answer: does its gateway run?")
    table = Table(title=f"{command.file.name}{' (dry run 预演)' if command.dry_run else ''}")
    table.add_column("Fate 结果")
    table.add_column("Rows 行数", justify="right")
    for fate, count in report["counts"].items():
        table.add_row(fate, f"{count:,}")
    console.print(table)
    for problem in report["problems"][:20]:
        where = f"row {problem['row']}" + (f", {problem['field']}" if problem["field"] else "")
        console.print(f"[yellow]{where}: {problem['detail']}[/yellow]")
    for note in report["notes"]:
        console.print(f"[yellow]{note['code']} ({note['count']:,}): {note['detail']}[/yellow]")
    if report["broken"]:
        console.print(f"[red]The file could not be read to its end: {report['broken']['detail']}[/red]")
    console.print(f"Every row's fate 每行结果: {command.var / 'imports' / report['import_id']}.csv")
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
    if report["broken"] or any(report["counts"].get(fate) for fate in ("bad", "expired", "refused", "unanswered")):
        raise typer.Exit(1)


async def _import(context: typer.Context, command: ImportCommand) -> dict[str, Any]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed:,} rows"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task(f"importing {command.file.name}", total=None)
        async with staff_client(context, command.var, cluster=command.is_cluster) as client:
            with command.file.open("rb") as content:
                report = _answer_of(
                    await client.post(
                        f"/v1/imports/{command.kind}",
                        files={"file": (command.file.name, content)},
                        data={"dry_run": str(command.dry_run).lower(), "encoding": command.encoding or ""},
                        headers={"Prefer": "respond-async"},
                        timeout=ENOUGH,
                    )
                )
            while report["state"] == "running":
                bar.update(task, completed=report["rows"])
                await asyncio.sleep(ASK_SECONDS)
                report = _answer_of(await client.get(f"/v1/imports/{report['import_id']}"))
    if report["state"] == "failed":
        fail(f"{report['broken']['code']}: {report['broken']['detail']}")
    if report["state"] == "interrupted":
        fail("the import was interrupted: the log of the gateway says why. The same file may be imported again.")
    return report


def _answer_of(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        problem = response.json()
        fail(f"{problem.get('code', response.status_code)}: {problem.get('detail', '')}")
    return response.json()


@asynccontextmanager
async def staff_client(context: typer.Context, var: Path, *, cluster: bool) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API as the administrator. It uses the cluster or server that works on this folder, or starts the
    platform in this process.

    It needs no password, because who can read the folder's secrets is its owner.
    """
    if cluster:
        async with _client_at(_cluster_address(var), var) as client:
            yield client
        return
    try:
        host = Embedded(services_of(context), read_settings(var=var), reader="gateway")
    except InUse:
        async with _client_at(_address(var), var) as client:
            yield client
        return
    host.start()
    try:
        await interrupt_imports(host)
        await ensure_administrator(host, show_administrator)
        transport = httpx.ASGITransport(create_app(host))
        headers = _owner(host.secrets, host.clock)
        async with httpx.AsyncClient(transport=transport, base_url="http://kameng", headers=headers) as client:
            yield client
    finally:
        host.stop()


def _client_at(address: str, var: Path) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=address, headers=_owner(Secrets(var / "secrets"), Clock()))


def _cluster_address(var: Path) -> str:
    if (left := running(var)) is None:
        fail(f"no cluster runs in {var}: `kameng cluster up` starts one.")
    if not left.address:
        fail(f"the gateway of the cluster in {var} does not run: `kameng cluster status` says what does.")
    return left.address


def _address(var: Path) -> str:
    try:
        return json.loads((var / "serve.json").read_text())["address"]
    except FileNotFoundError:
        fail(f"another command works on {var}: wait for it to end.")


def _owner(secrets: Secrets, clock: Clock) -> dict[str, str]:
    token, _ = issue(secrets.get("tokens"), Principal("staff", USERNAME, "administrator"), clock.now())
    return {"Authorization": f"Bearer {token}"}
