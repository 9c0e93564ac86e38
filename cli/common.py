"""What the commands share: options, the services, messages for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from services import NAMES, all_services

if TYPE_CHECKING:
    from shared.runtime.service import Service

console = Console()
errors = Console(stderr=True)

Var = Annotated[Path, typer.Option("--var", envvar="KAMENG_VAR", help="Folder that holds the data. 数据目录。")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line. 最后一行输出 JSON。")]
DatabaseUrl = Annotated[str, typer.Option(envvar="KAMENG_DATABASE_URL", show_default=False, help="Its PostgreSQL.")]
AmqpUrl = Annotated[str, typer.Option(envvar="KAMENG_AMQP_URL", show_default=False, help="The broker. 消息代理。")]
HealthHost = Annotated[str, typer.Option(envvar="KAMENG_HEALTH_HOST", help="Where probes are served. 探针地址。")]
HealthPort = Annotated[int, typer.Option(envvar="KAMENG_HEALTH_PORT", help="0 picks a free one. 探针端口。")]
HealthFile = Annotated[
    Path | None, typer.Option(envvar="KAMENG_HEALTH_FILE", help="Their address is written here. 探针地址写入的文件。")
]
VAR, CLUSTER_VAR = Path("var"), Path("var/cluster")
HTTP_END_SECONDS = 10  # how long requests under way may take when the gateway is told to stop


def services_of(context: typer.Context) -> Sequence[Service]:
    """The services that a command is about: all of them, unless its context holds others."""
    return context.obj or all_services()


def known(service: str) -> str:
    """The name, if it is that of a service. Ends the command when it is not."""
    if service not in NAMES:
        fail(f"there is no service {service}: {', '.join(NAMES)}.", code=2)
    return service


def needed(**values: str) -> None:
    """End the command when a variable of the environment that it needs is not set."""
    if missing := [name for name, value in values.items() if not value]:
        fail(f"{' and '.join(missing)} must be set.", code=2)


def show_administrator(password: str) -> None:
    """Show the first administrator's password, whole before this returns."""
    shown = f"Administrator 管理员: [bold]admin[/bold]  password 密码: [bold]{password}[/bold]"
    console.print(f"{shown}  (shown once 仅显示一次)", soft_wrap=True)


def fail(message: str, code: int = 1) -> NoReturn:
    """End with a message for people on standard error."""
    errors.print(f"[red]{message}[/red]", soft_wrap=True)
    raise typer.Exit(code)
