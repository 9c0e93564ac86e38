"""Finds faults in dashboards, alerts, runbooks and the page of metrics. Each text says what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from observability import declared, files
from observability.queries import selectors, unknown

PARTS = ("## What it means", "## How to see it", "## What to do", "## How to know that it is over")
SEVERITIES = {"page", "ticket"}
ALL_FIRING = 'ALERTS{alertstate="firing"}'
AGAIN = "run `make generate` and commit what it made"
_IDS = re.compile(r"(^|_)(id|sku|order|customer|email|ip|phone|address|user)($|_)")


def problems() -> list[str]:
    """All faults."""
    return [*_drift(), *_names(), *_queries(), *_alerts(), *_runbooks()]


def _drift() -> Iterator[str]:
    made = files.generated()
    for path, text in made.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            yield f"{path.relative_to(files.ROOT)} is not what the code makes: {AGAIN}"
    for path in files.DASHBOARDS.glob("*"):
        if path not in made:
            yield f"{path.relative_to(files.ROOT)} is made by nobody: remove it, or add its board to boards/__init__.py"


def _names() -> Iterator[str]:
    seen: set[str] = set()
    for metric in declared.ALL:
        if metric.name in seen:
            yield f"{metric.name} is declared twice"
        seen.add(metric.name)
        if (metric.kind == "counter") != metric.name.endswith("_total"):
            yield f"{metric.name} is a {metric.kind}: counters, and only they, end in _total"
        for unit in ("seconds", "bytes"):
            if (metric.unit == unit) != (unit in metric.name.split("_")):
                yield f"{metric.name} and its unit {metric.unit} do not agree on {unit}"
        for label in filter(_IDS.search, metric.labels):
            yield f"{metric.name} has the label {label}: an id makes a series each, count without it"


def _queries() -> Iterator[str]:
    for query in (*files.dashboard_queries(), *files.rule_queries()):
        for name in sorted(unknown(query.expression, files.recorded())):
            yield f"{query.where} asks for {name}, which no metrics.py declares"


def _alerts() -> Iterator[str]:
    firing, silent = _tested()
    for name, rule in files.alerts().items():
        if rule["labels"].get("severity") not in SEVERITIES:
            yield f"{name} has no severity of {sorted(SEVERITIES)}"
        if missing := {"summary", "description", "runbook_url"} - rule["annotations"].keys():
            yield f"{name} lacks {sorted(missing)}"
        if name not in firing:
            yield f"alerts.test.yml must show {name} firing"
        if missing := {series for series, _ in selectors(rule["expr"])} - files.recorded() - silent:
            yield f"alerts.slow.test.yml must show {name} silent: its day on which all is well lacks {sorted(missing)}"
    for name in firing - files.alerts().keys():
        yield f"alerts.test.yml tests {name}, which is no alert"


def _tested() -> tuple[set[str], set[str]]:
    """The alerts that some case shows firing, and the series of the case in which none fires."""
    firing: set[str] = set()
    silent: set[str] = set()
    written = [file.read_text(encoding="utf-8") for file in (files.ALERT_TESTS, files.SLOW_ALERT_TESTS)]
    for test in (test for text in written for test in yaml.safe_load(text)["tests"]):
        for case in test["promql_expr_test"]:
            for sample in case["exp_samples"]:
                firing.update(re.findall(r'alertname="(\w+)"', sample["labels"]))
            if case["expr"] == ALL_FIRING and not case["exp_samples"]:
                silent.update(one["series"].partition("{")[0] for one in test["input_series"])
    return firing, silent


def _runbooks() -> Iterator[str]:
    for name, rule in files.alerts().items():
        path = files.RUNBOOKS / f"{name}.md"
        if rule["annotations"].get("runbook_url") != str(path.relative_to(files.ROOT)):
            yield f"{name} must link {path.relative_to(files.ROOT)}"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for part in PARTS:
            if part not in text:
                yield f"{path.relative_to(files.ROOT)} lacks the part {part!r}"
    for path in files.RUNBOOKS.glob("Kameng*.md"):
        if path.stem not in files.alerts():
            yield f"{path.relative_to(files.ROOT)} is of no alert"
    linked = re.compile(r"docs/runbooks/(\w+)\.md")
    for file in files.DASHBOARDS.glob("*.json"):
        for name in sorted(set(linked.findall(file.read_text(encoding="utf-8"))) - files.alerts().keys()):
            yield f"{file.name} links the runbook {name}, which is of no alert"
