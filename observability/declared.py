"""Every declared metric of the platform: the kernel's, and each service's. docs/reference/metrics.md lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from services import NAMES
from shared.telemetry import metrics as kernel
from shared.telemetry.metric import Metric, Section


def metrics_of(name: str) -> ModuleType | None:
    """The module in which a service declares its metrics, if it has any."""
    module = f"services.{name}.metrics"
    return import_module(module) if find_spec(module) else None


def _by_title() -> Mapping[str, Sequence[Metric]]:
    found: dict[str, list[Metric]] = {}
    for module in (kernel, *filter(None, map(metrics_of, NAMES))):
        for section in vars(module).values():
            if isinstance(section, Section):
                found.setdefault(section.title, []).extend(section.metrics)
    return found


SECTIONS = _by_title()
ALL: Sequence[Metric] = [metric for metrics in SECTIONS.values() for metric in metrics]
