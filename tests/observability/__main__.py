"""`python -m tests.observability [--stay]`: a cluster under load, and a real Prometheus that is asked everything."""

from __future__ import annotations

import asyncio
import shutil
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.local import infrastructure
from deploy.local.infrastructure import InfrastructureError
from deploy.local.prometheus import Prometheus
from tests.acceptance.cluster.market import stocked_cluster
from tests.observability.asking import Asked, Asking
from tests.observability.watching import all_asked, buy_until, watched
from tests.platform.market import ClusterMarket

VAR = Path("var/observe")
console = Console()


def main(
    stay: Annotated[bool, typer.Option("--stay", help="Stay up, and go on buying, until Ctrl-C. 保持运行。")] = False,
    var: Annotated[Path, typer.Option("--var", help="Folder of the run; emptied first. 数据目录。")] = VAR,
) -> None:
    """Ask every panel and alert of a running cluster; ends with 1 when one has no data. 验证面板与告警。"""
    Prometheus(var).stop()
    infrastructure.down(var)
    shutil.rmtree(var, ignore_errors=True)
    var.mkdir(parents=True)
    var.chmod(0o755)  # the users that servers run as must get in
    try:
        with stocked_cluster(var, publish=True, webhooks=True) as market, watched(market) as (prometheus, asking):
            ok = _look(market, prometheus, asking, stay)
    except InfrastructureError as error:
        console.print(f"[red]{error}[/red]", soft_wrap=True)
        raise typer.Exit(1) from None
    raise typer.Exit(not ok)


def _look(market: ClusterMarket, prometheus: Prometheus, asking: Asking, stay: bool) -> bool:
    found: list[Asked] = []
    wrong: set[str] = set()

    async def look() -> None:
        found.extend(await all_asked(asking))
        wrong.update(asking.undeclared() | asking.unreported())
        console.print(_table(found))
        console.print(f"Prometheus: {prometheus.url}   API: {market.address}/docs")
        if stay:
            console.print("Ctrl-C ends it 按 Ctrl-C 结束")
            ended = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, ended.set)
            await ended.wait()

    orders = buy_until(market, look)
    bad = [one for one in found if not one.ok]
    skipped = [one for one in found if one.skipped]
    console.print(f"{orders} orders; {len(found)} queries, {len(skipped)} not asked, {len(bad)} without data")
    for one in bad:
        console.print(f"[red]{one.where}[/red]: {one.error or 'no data'}: {one.expression}", soft_wrap=True)
    for name in sorted(wrong):
        console.print(f"[red]{name}[/red] is reported and not declared, or declared and not reported")
    return not bad and not wrong


def _table(found: list[Asked]) -> Table:
    table = Table("Panel or alert 面板或告警", "Series 序列")
    for one in found:
        text = one.skipped or one.error or str(one.series)
        table.add_row(one.where, text if one.ok else f"[red]{text}[/red]")
    return table


if __name__ == "__main__":
    typer.run(main)
