"""`python -m deploy.rules` makes the PrometheusRule of the alerts, for Prometheus operators."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

ROOT = Path(__file__).parents[1]
ALERTS = ROOT / "deploy/observability/alerts.yml"
RULE = ROOT / "k8s/components/monitoring/rules.yaml"
_HEAD = """\
# Made by `python -m deploy.rules` from deploy/observability/alerts.yml: change that.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: kameng
  labels: {app.kubernetes.io/part-of: kameng}
spec:
"""


def rule() -> str:
    """The manifest, as it should be."""
    return _HEAD + indent(ALERTS.read_text(encoding="utf-8"), "  ")


if __name__ == "__main__":
    RULE.write_text(rule(), encoding="utf-8")
