"""Declares metrics: name, kind, unit, labels and meaning; makes the instruments of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

Kind = Literal["counter", "gauge", "histogram"]
disable_created_metrics()  # or each counter and histogram has a second series that nobody declared or reads


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """A declared metric. `name` is the name in Prometheus (a histogram adds `_bucket`, `_sum`, `_count`); `unit` is a
    base unit or what is counted. `labels` have few values each: never an id, an address or a user's text.
    """

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()

    def counter(self, registry: CollectorRegistry) -> Counter:
        """An instrument of this name in a registry."""
        return Counter(self.name, self.meaning, self.labels, registry=registry)

    def gauge(self, registry: CollectorRegistry) -> Gauge:
        """An instrument of this name in a registry."""
        return Gauge(self.name, self.meaning, self.labels, registry=registry)

    def histogram(self, registry: CollectorRegistry) -> Histogram:
        """An instrument of this name in a registry."""
        return Histogram(self.name, self.meaning, self.labels, buckets=self.buckets, registry=registry)

    def family(self, values: Mapping[tuple[str, ...], float]) -> CounterMetricFamily | GaugeMetricFamily:
        """Values by labels, for a collector."""
        kind = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        family = kind(self.name, self.meaning, labels=self.labels)
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family

    @property
    def series(self) -> tuple[str, ...]:
        """The names of its series in Prometheus."""
        if self.kind == "histogram":
            return (f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count")
        return (self.name,)


@dataclass(frozen=True, slots=True)
class Section:
    """A group of metrics, in the order of their declarations."""

    title: str
    metrics: list[Metric] = field(default_factory=list)

    def metric(
        self, name: str, kind: Kind, unit: str, labels: str, meaning: str, buckets: tuple[float, ...] = ()
    ) -> Metric:
        """Declare a metric. `name` is without `kameng_`; `labels` are separated by spaces."""
        metric = Metric(f"kameng_{name}", kind, unit, tuple(labels.split()), meaning, buckets)
        self.metrics.append(metric)
        return metric


Sample: TypeAlias = tuple[Metric, Sequence[str], float]
"""A value that is read at a scrape: the metric, its labels in order, the value."""


def seconds_since(moment: str | None, now: datetime) -> float:
    """Seconds since a moment that is stored as text; 0 for None and for the future."""
    return max(0.0, (now - datetime.fromisoformat(moment)).total_seconds()) if moment else 0.0
