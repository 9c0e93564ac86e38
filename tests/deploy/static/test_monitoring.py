"""Alerts and dashboards reach a cluster as they are in deploy/observability."""

from __future__ import annotations

import yaml

from tests.deploy.static.built import ROOT, of_kind

DASHBOARDS = ROOT / "deploy/observability/dashboards"


def test_the_rule_is_made_of_the_alerts() -> None:
    (built,) = of_kind("production", "PrometheusRule")
    assert built["spec"] == yaml.safe_load((ROOT / "deploy/observability/alerts.yml").read_text())


def test_every_dashboard_is_in_a_config_map_that_grafana_looks_for() -> None:
    maps = [
        one for one in of_kind("production", "ConfigMap") if "grafana_dashboard" in one["metadata"].get("labels", {})
    ]
    shown = {name: text for one in maps for name, text in one["data"].items()}

    assert shown == {path.name: path.read_text() for path in DASHBOARDS.glob("*.json")}
