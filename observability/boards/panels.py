"""The few kinds of panels that all dashboards are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TypeAlias

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueColorMode, BigValueGraphMode, LegendDisplayMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
)

from shared.telemetry.metric import Metric

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
INTERVAL = "$__rate_interval"
RUNBOOKS = "docs/runbooks"
Panel: TypeAlias = stat.Panel | timeseries.Panel


def rate(metric: Metric, *by: str, where: str = "", series: str = "") -> str:
    """How fast a counter, or a part of a histogram, grows a second, added up over processes."""
    return f"sum{_by(by)} (rate({series or metric.name}{_where(where)}[{INTERVAL}]))"


def now(metric: Metric, *by: str, where: str = "") -> str:
    """A gauge of which several processes may tell the same."""
    return f"max{_by(by)} ({metric.name}{_where(where)})"


def quantile(metric: Metric, share: float, *by: str, where: str = "") -> str:
    """That share of a histogram's observations is below it."""
    return f"histogram_quantile({share}, {rate(metric, 'le', *by, where=where, series=f'{metric.name}_bucket')})"


def mean(metric: Metric, *by: str, where: str = "") -> str:
    """The mean of a histogram's observations."""
    total, count = f"{metric.name}_sum", f"{metric.name}_count"
    return f"{rate(metric, *by, where=where, series=total)} / {rate(metric, *by, where=where, series=count)}"


def _by(labels: Sequence[str]) -> str:
    return f" by ({', '.join(labels)})" if labels else ""


def _where(where: str) -> str:
    return f"{{{where}}}" if where else ""


def graph(title: str, what: str, unit: str, *queries: tuple[str, str], wide: int = 8, runbook: str = "") -> Panel:
    """Lines over time; each query is an expression and its legend."""
    panel = (
        timeseries.Panel()
        .fill_opacity(8)
        .legend(common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).show_legend(True).calcs([]))
        .min(0)
    )
    return _finish(panel, title, what, unit, queries, wide, 8, runbook)


def figure(
    title: str, what: str, unit: str, query: str, *, red: float | None = None, below: bool = False, wide: int = 4,
    runbook: str = "",
) -> Panel:  # fmt: skip
    """One number; red from `red` on, or `below` it."""
    colours = ("red", "green") if below else ("green", "red")
    steps = [Threshold(value=None, color="green" if red is None else colours[0])]
    if red is not None:
        steps.append(Threshold(value=red, color=colours[1]))
    panel = (
        stat.Panel()
        .color_mode(BigValueColorMode.VALUE if red is None else BigValueColorMode.BACKGROUND)
        .graph_mode(BigValueGraphMode.NONE)
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    )
    return _finish(panel, title, what, unit, [(query, "")], wide, 4, runbook)


def _finish(
    panel: Panel, title: str, what: str, unit: str, queries: Sequence[tuple[str, str]], wide: int, high: int,
    runbook: str,
) -> Panel:  # fmt: skip
    told = f"{what}\n\nRunbook: {RUNBOOKS}/{runbook}.md" if runbook else what
    panel.title(title).description(told).unit(unit).datasource(SOURCE).span(wide).height(high)
    for number, (expression, legend) in enumerate(queries):
        query = prometheus.Dataquery().expr(expression).legend_format(legend or "__auto").ref_id(chr(ord("A") + number))
        panel.with_target(query.instant() if isinstance(panel, stat.Panel) else query.range())
    return panel


@dataclass
class Board:
    """A dashboard: rows of panels. `by_service` adds a choice of services, `$service`."""

    uid: str
    title: str
    about: str
    by_service: str = ""
    rows: list[tuple[str, Sequence[Panel]]] = field(default_factory=list)

    def row(self, title: str, *panels: Panel) -> Board:
        self.rows.append((title, panels))
        return self

    def json(self) -> str:
        """What Grafana imports."""
        board = (
            dashboard.Dashboard(self.title)
            .uid(f"kameng-{self.uid}")
            .description(self.about)
            .tags(["kameng"])
            .refresh("30s")
            .time("now-3h", "now")
            .timezone("browser")
            .readonly()
            .link(
                dashboard.DashboardLink("Kameng")
                .type(DashboardLinkType.DASHBOARDS)
                .tags(["kameng"])
                .as_dropdown(True)
                .keep_time(True)
            )
            .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        )
        if self.by_service:
            services = (
                dashboard.QueryVariable("service")
                .label("Service")
                .query(f"label_values({self.by_service}, service)")
                .datasource(SOURCE)
                .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
                .include_all(True)
                .multi(True)
            )
            board.with_variable(services)
        ids = count(1)
        for title, panels in self.rows:
            board.with_row(dashboard.Row(title).id(next(ids)))
            for panel in panels:
                board.with_panel(panel.id(next(ids)))
        return JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(board.build()) + "\n"
