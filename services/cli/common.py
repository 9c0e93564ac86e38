"""What the commands share: options, the folder's databases, messages for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import sqlalchemy as sa
import typer
from rich.console import Console

from shared.eventlog.engines import open_engine
from shared.hosting.embedded import database_url
from shared.hosting.service import Service

console = Console()
errors = Console(stderr=True)

Var = Annotated[Path, typer.Option("--var", envvar="KAMENG_VAR", help="Folder that holds the data. 数据目录。")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line. 最后一行输出 JSON。")]
VAR = Path("var")


def services_of(context: typer.Context) -> Sequence[Service]:
    """The services that this command line runs."""
    return context.obj


def fail(message: str, code: int = 1) -> NoReturn:
    """End with a message for people on standard error."""
    errors.print(f"[red]{message}[/red]", soft_wrap=True)
    raise typer.Exit(code)


def open_logs(var: Path, services: Sequence[Service]) -> dict[str, sa.Engine]:
    """An engine to read each service's database. Ends the command when there is no data in the folder."""
    missing = [service.name for service in services if not (var / f"{service.name}.sqlite3").exists()]
    if missing:
        fail(f"{var} holds no data of {', '.join(missing)}: run `kameng demo` or `kameng serve` first.")
    return {service.name: open_engine(database_url(var, service.name), writer=False) for service in services}
