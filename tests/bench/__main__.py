"""`python -m tests.bench [NAMES]`: runs the benchmarks, prints tables and writes the figures as JSON."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from deploy.local import infrastructure
from deploy.local.infrastructure import Infrastructure
from tests.bench import eventsourcing_peer, growth, imports, machine, rebuild, saga
from tests.bench.measures import Row, Section

OTHERS = ("eventsourcing", "rebuild", "growth", "imports")
NAMES = (*saga.SAGAS, *OTHERS)
console = Console()
app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)


@app.command()
def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(NAMES)}; all when none. 默认全部。")] = None,
    orders: Annotated[int, typer.Option(min=10, help="Orders a round of the cluster. 每轮订单数。")] = 2_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count, of each. 轮数。")] = 3,
    callers: Annotated[int, typer.Option(min=1, help="Buyers at once in a closed loop. 并发买家数。")] = 128,
    rate: Annotated[
        list[float] | None, typer.Option(help="Orders a second of an open loop; half the peak if none. 恒定速率。")
    ] = None,
    calls: Annotated[int, typer.Option(min=100, help="Appends a round beside eventsourcing. 每轮追加次数。")] = 2_000,
    rebuilt: Annotated[int, typer.Option(min=100, help="Orders in the logs that are rebuilt. 重建的订单数。")] = 10_000,
    events: Annotated[int, typer.Option(min=1_000, help="Events of the long log. 长日志的事件数。")] = 2_000_000,
    skus: Annotated[int, typer.Option(min=30, help="Products of the large market. 大市场的商品数。")] = 100_000,
    keys: Annotated[int, typer.Option(min=100, help="Keys to import. 导入的卡密数。")] = 1_000_000,
    var: Annotated[Path, typer.Option(help="Folder to work in, emptied first. 工作目录,先清空。")] = Path("var/bench"),
    output: Annotated[Path, typer.Option("--json", help="Where the figures go. 结果文件。")] = Path("var/bench.json"),
) -> None:
    """Measure the platform beside its peers and the machine's floor. 性能测试。"""
    chosen = names or list(NAMES)
    if unknown := sorted(set(chosen) - set(NAMES)):
        raise typer.BadParameter(f"no benchmark {', '.join(unknown)}: {', '.join(NAMES)}")
    sizes = saga.Sizes(orders, rounds, callers, rate or ())
    large = growth.Size(events, skus)
    work: dict[str, Callable[[Infrastructure, OnProgress], list[Section]]] = {
        "eventsourcing": lambda servers, progress: [eventsourcing_peer.measure(servers, var, rounds, calls, progress)],
        "rebuild": lambda servers, progress: [rebuild.measure(servers, var, rounds, rebuilt, progress)],
        "growth": lambda servers, progress: [growth.measure(servers, var, rounds, orders // 4, large, progress)],
        "imports": lambda servers, progress: [imports.measure(var, keys, progress)],
    }
    steps = {name: work[name] for name in OTHERS if name in chosen}
    if sagas := [name for name in chosen if name in saga.SAGAS]:
        steps = {"sagas": lambda servers, progress: saga.measure(sagas, servers, var, sizes, progress), **steps}
    _run(steps, var, output, " ".join(sys.argv[1:]))


OnProgress = Callable[[str], None]


def _run(
    steps: dict[str, Callable[[Infrastructure, OnProgress], list[Section]]], var: Path, output: Path, arguments: str
) -> None:
    """Each step on the same servers; what is measured is shown and kept as soon as it is there."""
    with _servers(var) as servers:
        described = machine.described(servers, var)
        _show(Section("Machine", [{"what": name, "is": figure} for name, figure in described.items()]))
        found: list[Section] = []
        with _progress(len(steps)) as (progress, done):
            for name, step in steps.items():
                started = time.monotonic()
                progress(name)
                new = step(servers, progress)
                found += new
                for section in new:
                    _show(section)
                _write(output, described, arguments, found)
                done(f"{name} took {time.monotonic() - started:.0f} s")
    console.print(f"The figures are in {output}. 结果见该文件。")


@contextmanager
def _servers(var: Path) -> Iterator[Infrastructure]:
    """PostgreSQL and RabbitMQ on a new folder, stopped at the end."""
    infrastructure.down(var)
    shutil.rmtree(var, ignore_errors=True)
    var.mkdir(parents=True)
    try:
        yield infrastructure.up(var, console.print)
    finally:
        infrastructure.down(var)


@contextmanager
def _progress(steps: int) -> Iterator[tuple[OnProgress, OnProgress]]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=steps)

        def done(message: str) -> None:
            bar.update(task, advance=1)
            bar.console.print(message)

        yield lambda message: bar.update(task, description=message), done


def _show(section: Section) -> None:
    console.print(section.table())


def _write(output: Path, described: Row, arguments: str, sections: list[Section]) -> None:
    report = {
        "machine": described,
        "arguments": arguments,
        "sections": [{"title": one.title, "note": one.note, "rows": one.rows} for one in sections],
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    app()
