"""Sagas side by side: in every round each contestant sells so many orders, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench.load import Report
from tests.bench.measures import Row, median, quantiles


@dataclass(frozen=True)
class Sold:
    """One stretch of orders: what the buyers saw, and the processor seconds of each process until all had settled."""

    report: Report
    processor: dict[str, float]

    @property
    def rate(self) -> float:
        """Orders a second, from the first POST to the last key read."""
        return len(self.report.to_key) / self.report.seconds

    @property
    def milliseconds(self) -> float:
        """Processor time an order, of all processes but the load's."""
        return sum(self.processor.values()) / len(self.report.to_key) * 1e3


@dataclass(frozen=True)
class Contestant:
    """Somebody who can `sell(orders, callers)`; `share` of the round's orders is what it is given."""

    name: str
    sell: Callable[[int, int], Sold]
    share: float = 1.0


def rounds_of(
    contestants: Sequence[Contestant], rounds: int, orders: int, callers: int, progress: Callable[[str], None]
) -> dict[str, list[Sold]]:
    """The rounds, interleaved, after one small one that does not count."""
    for contestant in contestants:
        progress(f"{contestant.name}: warming up")
        contestant.sell(max(callers, int(orders * contestant.share) // 10), callers)
    found: dict[str, list[Sold]] = {contestant.name: [] for contestant in contestants}
    for number in range(rounds):
        for contestant in contestants:
            progress(f"{contestant.name}: round {number + 1} of {rounds}")
            found[contestant.name].append(contestant.sell(max(callers, int(orders * contestant.share)), callers))
    return found


def compared(found: dict[str, list[Sold]], against: str) -> list[Row]:
    """A row each: medians over the rounds, and how many times as fast `against` is."""
    rates = {name: median(sold.rate for sold in rounds) for name, rounds in found.items()}
    return [
        {
            "who": name,
            "orders/s": round(rates[name], 1),
            f"{against} is": f"{rates[against] / rates[name]:.2f} x" if against in rates else "",
            "processor ms an order": round(median(sold.milliseconds for sold in rounds), 3),
            **quantiles(taken for sold in rounds for taken in sold.report.to_key),
        }
        for name, rounds in found.items()
    ]


def by_process(name: str, rounds: Sequence[Sold]) -> list[Row]:
    """Processor milliseconds an order by process, the greatest first; the load's own last."""
    names = {process for sold in rounds for process in sold.processor}
    figures = {
        process: median(sold.processor[process] / len(sold.report.to_key) * 1e3 for sold in rounds) for process in names
    }
    load = median(sold.report.processor_seconds / len(sold.report.to_key) * 1e3 for sold in rounds)
    rows: list[Row] = [
        {"who": name, "process": process, "processor ms an order": round(spent, 3)}
        for process, spent in sorted(figures.items(), key=lambda item: -item[1])
    ]
    return [*rows, {"who": name, "process": "(the load)", "processor ms an order": round(load, 3)}]
