"""The command line: `python -m observability write|check`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from deploy.local.packages import ensure_installed, prometheus_programs
from deploy.local.waiting import InfrastructureError
from observability import files
from observability.problems import problems

app = typer.Typer(help="Dashboards, alerts and the page of metrics.", no_args_is_help=True)


@app.command()
def write() -> None:
    """Generate the dashboards and docs/reference/metrics.md. 生成面板与指标文档。"""
    for path, text in files.generated().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        typer.echo(path.relative_to(files.ROOT))


@app.command()
def check(
    install: Annotated[
        bool, typer.Option("--install", help="Install Debian's prometheus for promtool, if we may. 安装 promtool。")
    ] = False,
) -> None:
    """Check that dashboards, alerts, runbooks and docs/reference/metrics.md agree. 校验。"""
    found = problems()
    for problem in found:
        typer.echo(problem, err=True)
    if found:
        raise typer.Exit(1)
    if install:
        ensure_installed(Path(tempfile.gettempdir()) / "kameng-install.log", typer.echo, ("prometheus",))
    programs = prometheus_programs()
    if programs is None:
        typer.echo("alerts: promtool is not installed (Debian's package prometheus): its checks are SKIPPED")
        return
    for arguments in (("check", "rules", files.ALERTS), ("test", "rules", files.ALERT_TESTS, files.SLOW_ALERT_TESTS)):
        done = subprocess.run([programs / "promtool", *arguments], capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            typer.echo(done.stdout + done.stderr, err=True)
            raise typer.Exit(1)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except InfrastructureError as error:
        typer.echo(str(error), err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
