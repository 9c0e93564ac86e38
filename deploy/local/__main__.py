"""The command line: `python -m deploy.local up|down|status --var var/cluster`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deploy.local import infrastructure
from deploy.local.infrastructure import InfrastructureError

Var = Annotated[Path, typer.Option("--var", help="Folder that holds the servers' data. 数据目录。")]
VAR = Path("var/cluster")

app = typer.Typer(
    help="PostgreSQL and RabbitMQ for a cluster on this machine.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


@app.command()
def up(var: Var = VAR) -> None:
    """Start both servers unless they run. 启动。"""
    typer.echo(f"Up: {infrastructure.up(var, typer.echo).where}")


@app.command()
def down(var: Var = VAR) -> None:
    """Stop them; their data stays. 停止。"""
    infrastructure.down(var)
    typer.echo("Down")


@app.command()
def status(var: Var = VAR) -> None:
    """Say whether both run; ends with code 1 when not. 状态。"""
    found = infrastructure.find(var)
    typer.echo(f"Up: {found.where}" if found else "Down")
    raise typer.Exit(0 if found else 1)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except InfrastructureError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
