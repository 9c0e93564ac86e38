"""The command line: `python -m deploy write|check`."""

from __future__ import annotations

import typer

from deploy.generator import files

app = typer.Typer(help="What is made from the list of services. 由服务清单生成的文件。", no_args_is_help=True)


@app.command()
def write() -> None:
    """Write what is stale: Compose's and Kubernetes' entries, scrape targets, alerts, who reads whom. 生成。"""
    for path in files.write():
        typer.echo(path)


@app.command()
def check() -> None:
    """Say which of these files are stale; ends with 1 if any is. 校验。"""
    found = files.stale()
    for path, wrong in found.items():
        typer.echo(f"{path} {wrong}", err=True)
    if found:
        typer.echo(
            f"These are made from the list of services: run `{files.COMMAND}`, and commit what it writes.", err=True
        )
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
