"""`python -m tests.chaos --seconds 120 --seed 7`: chaos on this machine, with a verdict."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from demo.shop import Unexpected
from deploy.local.infrastructure import InfrastructureError
from tests.chaos.report import show
from tests.chaos.running import run


def main(
    seconds: Annotated[float, typer.Option(min=1, help="How long faults strike. 故障持续秒数。")] = 120,
    seed: Annotated[int | None, typer.Option(help="Draws what fails and when; new each time. 随机种子。")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the run's folder in any case. 保留数据目录。")] = False,
) -> None:
    """Run the whole cluster under load while its parts fail; ends with 1 when a law is broken. 混沌测试。"""
    seed = seed if seed is not None else time.time_ns() % 100_000
    var = Path(tempfile.mkdtemp(prefix="kameng-chaos-"))
    var.chmod(0o755)  # the users that servers run as must get in
    console = Console()
    console.print(f"seed 种子 {seed}, folder 目录 {var}")
    columns = (SpinnerColumn(), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    try:
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("starting", total=seconds)
            ran = run(var, seconds, seed, lambda what, done: bar.update(task, description=what, completed=done))
    except (InfrastructureError, Unexpected) as error:
        console.print(f"[red]{error}[/red]", soft_wrap=True)
        raise typer.Exit(1) from None
    show(ran, console)
    if ran.ok and not keep:
        shutil.rmtree(var)
    else:
        console.print(f"everything is kept in 现场保留在 {var}; again 重跑: make chaos SECONDS={seconds:g} SEED={seed}")
    raise typer.Exit(not ran.ok)


if __name__ == "__main__":
    typer.run(main)
