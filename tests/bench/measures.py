"""Figures of a benchmark: quantiles, medians over rounds, and the rows they are told in."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.table import Table

Figure = float | int | str
Row = dict[str, Figure]
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


@dataclass
class Section:
    """One table of results; `note` says how to read it."""

    title: str
    rows: list[Row] = field(default_factory=list)
    note: str = ""

    def table(self) -> Table:
        """For people."""
        shown = Table(title=self.title, caption=self.note or None, title_justify="left", caption_justify="left")
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        for name in columns:
            shown.add_column(name, justify="left" if name == columns[0] else "right")
        for row in self.rows:
            shown.add_row(*(rendered(row.get(name, "")) for name in columns))
        return shown


def rendered(figure: Figure) -> str:
    """Three significant digits at least, thousands apart."""
    if isinstance(figure, str):
        return figure
    if isinstance(figure, int) or abs(figure) >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.3g}"


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that this share of the ordered values does not exceed; 0 when there are none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def quantiles(values: Iterable[float]) -> Row:
    """p50, p95, p99 and p99.9, in the values' unit."""
    ordered = sorted(values)
    return {name: round(quantile(ordered, share), 2) for name, share in QUANTILES.items()}


def median(values: Iterable[float]) -> float:
    """0 when there are none."""
    found = list(values)
    return statistics.median(found) if found else 0.0


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Seconds of processor time by process between two looks."""
    return {name: used - before.get(name, 0.0) for name, used in after.items()}
