"""`python -m tests.simulation`: many seeds, or one again."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from shared.runtime.simulated.faults import Faults
from tests.simulation.case import Case
from tests.simulation.outcomes import MEANINGS
from tests.simulation.run import Ran, run, shrink
from tests.simulation.sometimes import FAULTS, never

REGRESSIONS = Path(__file__).with_name("regressions.txt")
ENOUGH_SEEDS = 300
console = Console(soft_wrap=True)


def quiet() -> None:
    """Services log their troubles; here these are the point."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))


def main(
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds to run. 种子数量。")] = 500,
    first: Annotated[int, typer.Option(help="The first of them. 第一个种子。")] = 1,
    seed: Annotated[str, typer.Option(help="Run this one only, and tell all. 只运行此种子。")] = "",
    without: Annotated[list[str] | None, typer.Option(help="Leave this out of it. 去掉此项。")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at once. 并行进程数。")] = os.cpu_count() or 1,
) -> None:
    """Run the whole platform on a virtual clock under seeded faults, and hold every law against it. 模拟验证。"""
    quiet()
    if seed:
        raise typer.Exit(one(Case(seed, frozenset(without or ()))))
    raise typer.Exit(many([Case(str(number)) for number in range(first, first + seeds)], jobs))


def one(case: Case) -> int:
    """Run a case and print what it came to. The exit code."""
    ran = run(case)
    if ran.broken:
        console.print(*ran.trace, sep="\n", highlight=False, markup=False)
        return 1
    console.print(f"every law holds: {ran.events} events, {ran.restarts} restarts, logs {ran.digest[:16]}")
    console.print(_counts("Outcome 结果", ran.outcomes))
    console.print(_counts("Fault 故障", ran.faults))
    return 0


def many(cases: list[Case], jobs: int) -> int:
    """Run all, shrink and keep what fails. The exit code."""
    outcomes, faults = Counter[str](), Counter[str]()
    broken: list[Ran] = []
    events, started = 0, time.perf_counter()
    with _progress() as progress, ProcessPoolExecutor(jobs, initializer=quiet) as pool:
        task = progress.add_task("simulating 模拟", total=len(cases))
        for ran in pool.map(run, cases, chunksize=4):
            outcomes, faults, events = outcomes + ran.outcomes, faults + ran.faults, events + ran.events
            if ran.broken:
                broken.append(ran)
                progress.console.print(f"seed {ran.case}: {ran.trace[-1]}", style="red", markup=False)
            progress.update(task, advance=1)
    seconds = time.perf_counter() - started
    console.print(_counts("Outcome 结果", Counter({name: outcomes[name] for name in MEANINGS})))
    console.print(_counts("Fault 故障", Counter({name: faults[name] for name in FAULTS})))
    console.print(f"{len(cases)} seeds, {events} events in {seconds:.0f} s: {len(cases) / seconds:.2f} seeds a second")
    for ran in _worst(broken):
        _explain(ran)
    missing = never(outcomes, faults) if len(cases) >= ENOUGH_SEEDS else []
    if missing:
        console.print(f"[red]never occurred[/red]: {', '.join(missing)}")
    console.print(f"violations: {len(broken)}")
    return 1 if broken or missing else 0


def _worst(broken: list[Ran]) -> Iterator[Ran]:
    """One run a law is explained: the shortest."""
    for law in sorted({law for ran in broken for law in ran.broken}):
        yield min((ran for ran in broken if law in ran.broken), key=lambda ran: ran.events)


def _explain(ran: Ran) -> None:
    with console.status(f"shrinking seed {ran.case}"):
        small = shrink(ran)
    console.print(*small.trace, sep="\n", highlight=False, markup=False)
    console.print(f"again: {small.case.command}", highlight=False)
    with REGRESSIONS.open("a") as kept:
        kept.write(f"{small.case}\n")


def _counts(title: str, counts: Counter[str]) -> Table:
    table = Table(title=title, min_width=60)
    table.add_column("")
    table.add_column("", justify="right")
    table.add_column("")
    meant = {**dict.fromkeys(Faults.__slots__, ""), **MEANINGS}
    for name, count in counts.items():
        table.add_row(name, str(count), meant.get(name, ""))
    return table


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=console)


if __name__ == "__main__":
    typer.run(main)
