"""The generated files, and the handwritten ones that must agree with them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from observability import declared
from shared.telemetry.metric import Metric

ROOT = Path(__file__).parents[1]
HERE = ROOT / "deploy" / "observability"
DASHBOARDS, RUNBOOKS = HERE / "dashboards", ROOT / "docs" / "runbooks"
PAGE = ROOT / "docs" / "reference" / "metrics.md"
ALERTS, PROMETHEUS = HERE / "alerts.yml", HERE / "prometheus.yml"
ALERT_TESTS, SLOW_ALERT_TESTS = HERE / "alerts.test.yml", HERE / "alerts.slow.test.yml"

HEAD = """# Metrics

Made from `shared/telemetry/metrics.py` and `services/*/metrics.py` by `make generate`; `make check` finds a difference.
Where each process serves them: [observing](../how-to/observe.md).

Names follow Prometheus: base units (seconds, bytes), counters end in `_total`. Money is in minor units (fen, cents),
which have no base unit. Labels have few values: never an id, an address or free text. If several processes report a
gauge, take the `max`; add counters up. A histogram has `_bucket`, `_sum` and `_count`.
"""


def page() -> str:
    """docs/reference/metrics.md."""
    parts = [HEAD]
    for title, metrics in declared.SECTIONS.items():
        head = ["| Name | Kind | Unit | Labels | Meaning |", "| --- | --- | --- | --- | --- |"]
        parts.append("\n".join([f"## {title}", "", *head, *map(_row, metrics)]) + "\n")
    return "\n".join(parts)


def _row(metric: Metric) -> str:
    labels = " ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {metric.unit} | {labels} | {metric.meaning} |"


def generated() -> Mapping[Path, str]:
    """Every generated file with its content. Needs the development dependencies."""
    from observability.boards import BOARDS

    boards = {DASHBOARDS / f"{name}.json": board().json() for name, board in BOARDS.items()}
    return {PAGE: page(), **boards}


@dataclass(frozen=True)
class Query:
    """A query, and the place that it is written in."""

    where: str
    expression: str


def dashboard_queries() -> Iterator[Query]:
    """Each query of each panel, from the dashboards' files."""
    for file in sorted(DASHBOARDS.glob("*.json")):
        for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets", ()):
                yield Query(f"{file.stem} / {panel['title']} / {target['refId']}", target["expr"])


def rules() -> Sequence[Mapping[str, Any]]:
    """Every rule of alerts.yml, with `alert` or `record`, `expr`, `labels`, `annotations`."""
    return _rules(ALERTS.read_text(encoding="utf-8"))


@lru_cache(maxsize=2)
def _rules(written: str) -> Sequence[Mapping[str, Any]]:
    return [rule for group in yaml.safe_load(written)["groups"] for rule in group["rules"]]


def alerts() -> dict[str, Mapping[str, Any]]:
    """The alerts by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def recorded() -> frozenset[str]:
    """The names of the series that rules record."""
    return frozenset(rule["record"] for rule in rules() if "record" in rule)


def rule_queries() -> Iterator[Query]:
    """The expression of each rule."""
    for rule in rules():
        yield Query(rule.get("alert") or rule["record"], rule["expr"])
