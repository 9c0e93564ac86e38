"""A run in figures, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.chaos.faults import NETWORK
from tests.chaos.running import Ran


def show(ran: Ran, console: Console) -> None:
    """Print every figure, and each violation."""
    table = Table(title=f"Chaos, {ran.seconds:.0f} s 混沌测试", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in _rows(ran):
        table.add_row(name, value)
    console.print(table)
    for said in ran.verdict.broken:
        console.print(f"[red]{escape(said)}[/red]", soft_wrap=True)
    if ran.ok:
        console.print("[green]no violation 无违规[/green]")


def _rows(ran: Ran) -> Iterator[tuple[str, str]]:
    for kind in ("kill", "freeze"):
        targets = Counter(struck.fault.target for struck in ran.struck if struck.fault.kind == kind)
        yield f"{kind}s {'终止' if kind == 'kill' else '冻结'}", f"{targets.total()}: {_counts(targets)}"
    network = Counter(struck.fault.kind for struck in ran.struck if struck.fault.kind in NETWORK)
    broken = sum(struck.cut for struck in ran.struck)
    yield "network 网络", f"{_counts(network)}; {broken} connections cut"
    yield "requests 请求", f"{len(ran.attempts)}: {_counts(ran.outcomes)}"
    outcomes = Counter(attempt.outcome for attempt in ran.attempts)
    yield (
        "outcomes 结果",
        f"{outcomes['ok']} ok, {outcomes['failed']} failed, {outcomes['unknown']} unknown; "
        f"{ran.unknown} to be resolved at the end",
    )
    yield "beside a fault 故障期间", _quantiles(ran.latencies(troubled=True))
    yield "outside 无故障时", _quantiles(ran.latencies(troubled=False))
    yield "orders 订单", ", ".join(f"{count} {name}" for name, count in ran.orders.items())
    yield "drained after 恢复用时", f"{ran.verdict.drain_seconds:.1f} s"
    yield "took 用时", ", ".join(f"{name} {seconds:.0f} s" for name, seconds in ran.took.items())
    yield "laws 定律", ", ".join(f"{finding.law} ({finding.checked})" for finding in ran.verdict.findings)
    yield "violations 违规", str(sum(finding.broken for finding in ran.verdict.findings))


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _quantiles(seconds: Sequence[float]) -> str:
    if not seconds:
        return "no request"
    at = {share: seconds[min(len(seconds) - 1, len(seconds) * share // 100)] for share in (50, 99)}
    shown = (f"p{share} {1000 * value:.0f} ms" for share, value in at.items())
    return f"{', '.join(shown)} of {len(seconds)} requests"
