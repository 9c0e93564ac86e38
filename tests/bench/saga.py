"""Orders a second from POST to a key that the buyer can read: the cluster, the embedded host, nameko, the floor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from deploy.local.infrastructure import Infrastructure
from tests.bench.contest import Contestant, by_process, compared, rounds_of
from tests.bench.floor import floor
from tests.bench.machine import commit_milliseconds
from tests.bench.measures import Row, Section, quantiles
from tests.bench.nameko_peer import nameko
from tests.bench.shop import Shop, cluster_shop, embedded_shop, resident_bytes

CLUSTER, SAGAS = "the cluster", ("saga", "embedded", "nameko", "floor")
SMALLER = {"embedded": 0.5, "nameko": 0.1}
CUSTOMERS, SKUS = 20, 20
OPEN_ROUND = 0.5
OnProgress = Callable[[str], None]


@dataclass(frozen=True)
class Sizes:
    """`orders` a round for the cluster; the others get their share. `open_rates` are in orders a second; when there
    are none, half of the closed loop's rate and an idle one."""

    orders: int
    rounds: int
    callers: int
    open_rates: Sequence[float] = ()
    idle_rate: float = 4.0

    @property
    def keys(self) -> int:
        """Enough for all rounds, warm-up and open loops."""
        return (
            int(self.orders * (self.rounds + 2 + OPEN_ROUND * (len(self.open_rates) or 1))) + 20 * self.callers + 2_000
        )


def measure(
    names: Sequence[str], servers: Infrastructure, var: Path, sizes: Sizes, progress: OnProgress
) -> list[Section]:
    """Those contestants that are named, interleaved; the open loop and the memory for the cluster alone."""
    with ExitStack() as stack:
        shop, contestants = None, list[Contestant]()
        if "saga" in names:
            shop = stack.enter_context(cluster_shop(var, sizes.keys, SKUS, CUSTOMERS, progress))
            contestants.append(Contestant(CLUSTER, shop.sell))
        if "embedded" in names:
            own = stack.enter_context(embedded_shop(var / "embedded", sizes.keys, SKUS, CUSTOMERS, progress))
            contestants.append(Contestant("the embedded host", own.sell, SMALLER["embedded"]))
        if "nameko" in names:
            contestants.append(stack.enter_context(nameko(servers, var / "nameko", SMALLER["nameko"])))
        if "floor" in names:
            contestants.append(stack.enter_context(floor(servers, var / "floor")))
        found = rounds_of(contestants, sizes.rounds, sizes.orders, sizes.callers, progress)
        note = (
            f"Closed loop, {sizes.callers} callers; milliseconds from POST to key (floor: from command to read model)."
        )
        sections = [Section("Saga", compared(found, contestants[0].name), note)]
        costs = [row for name, rounds in found.items() for row in by_process(name, rounds)]
        sections.append(Section("Processor time by process", costs))
        if shop is not None:
            peak = max(sold.rate for sold in found[CLUSTER])
            sections.append(_open_loop(shop, sizes, peak, var, progress))
            sections.append(_memory(shop))
        return sections


def _open_loop(shop: Shop, sizes: Sizes, peak: float, var: Path, progress: OnProgress) -> Section:
    rows: list[Row] = []
    for rate in [sizes.idle_rate, *(sizes.open_rates or [peak / 2])]:
        progress(f"open loop at {rate:.0f} orders/s")
        orders = max(20, int(min(sizes.orders * OPEN_ROUND, rate * 60)))
        commit = commit_milliseconds(var)
        sold = shop.sell(orders, 0, rate)
        figures = quantiles(sold.report.to_key)
        rows.append(
            {
                "orders/s asked": round(rate, 1),
                "orders/s": round(sold.rate, 1),
                **figures,
                "POST p50": quantiles(sold.report.to_answer)["p50"],
                "commit ms": round(commit, 2),
                "p50 in commits": round(float(figures["p50"]) / commit, 1),
                "p99 in commits": round(float(figures["p99"]) / commit, 1),
                "processor ms an order": round(sold.milliseconds, 3),
            }
        )
    return Section("The cluster at a constant rate", rows, "Milliseconds from when the order should have begun.")


def _memory(shop: Shop) -> Section:
    rows: list[Row] = []
    for name, pid in shop.processes().items():
        now, peak = resident_bytes(pid)
        rows.append({"process": name, "MB": round(now / 1e6), "peak MB": round(peak / 1e6)})
    return Section("Memory of the cluster's processes after its orders", rows)
