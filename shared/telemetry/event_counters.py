"""Counts a service's committed events for Prometheus: each once, in the process that committed it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector
from sqlalchemy.exc import DBAPIError

from shared.contracts import Event
from shared.eventstore.recorded import RecordedEvent
from shared.telemetry import metrics
from shared.telemetry.metric import Metric, Sample

Counted: TypeAlias = Callable[[Any], Iterable[Sample]]
BegunAt: TypeAlias = Callable[[Sequence[str], str], Mapping[str, datetime]]
MOST = 100_000


def always(metric: Metric, *labels: str) -> Counted:
    """A counter rule that adds one for each event."""
    figures = ((metric, labels, 1),)
    return lambda _: figures


@dataclass(frozen=True, slots=True)
class Duration:
    """A histogram, by outcome, of the time from a stream's first event to its end.

    `outcome(event)` is one of `outcomes` for an event that ends the stream, else None.
    """

    metric: Metric
    begins: type[Event]
    outcome: Callable[[Event], str | None]
    outcomes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counters:
    """The counters of a service's own events.

    `by_event` says what an event adds. `zeros` are the labels that are exported as 0 from the start: else a counter's
    first increment would not show as a rise.
    """

    by_event: Mapping[type[Event], Counted] = field(default_factory=dict)
    zeros: Mapping[Metric, Iterable[tuple[str, ...]]] = field(default_factory=dict)
    duration: Duration | None = None


class EventCounters(Collector):
    """The counters of one service's events since this process started.

    `begun_at` looks up when streams had their last event of a name. It is called at scrapes, for streams that began
    before this process started. When it raises DBAPIError, the next scrape calls it again.
    """

    def __init__(self, service: str, counters: Counters, registry: CollectorRegistry, begun_at: BegunAt) -> None:
        registry.register(self)  # before the histogram, to which `collect` adds
        self._service, self._begun_at = service, begun_at
        self._events = 0
        self._values: dict[Metric, dict[tuple[str, ...], float]] = {
            metric: defaultdict(float, dict.fromkeys(labels, 0.0)) for metric, labels in counters.zeros.items()
        }
        self._counts = {event.__name__: count for event, count in counters.by_event.items()}
        self._timed = _Timed(counters.duration, registry) if counters.duration else None

    def committed(self, events: Sequence[RecordedEvent]) -> None:
        """Count events after their commit."""
        self._events += len(events)
        for recorded in events:
            if (count := self._counts.get(recorded.name)) is not None:
                for metric, labels, by in count(recorded.event):
                    self._values[metric][tuple(labels)] += by
            if self._timed is not None:
                self._timed.take(recorded)

    def collect(self) -> Iterator[Family]:
        if self._timed is not None:
            self._timed.resolve(self._begun_at)
        yield metrics.EVENTS.family({(self._service,): self._events})
        for metric, values in self._values.items():
            yield metric.family(values)

    def describe(self) -> Iterator[Family]:
        return iter(())


class _Timed:
    """Measures the time from the beginning to the end of each stream."""

    def __init__(self, duration: Duration, registry: CollectorRegistry) -> None:
        histogram = duration.metric.histogram(registry)
        self._duration = duration
        self._observe = {outcome: histogram.labels(outcome).observe for outcome in duration.outcomes}
        self._begun: dict[str, datetime] = {}
        self._unknown: deque[tuple[str, datetime, str]] = deque(maxlen=MOST)

    def take(self, recorded: RecordedEvent) -> None:
        if isinstance(recorded.event, self._duration.begins):
            if len(self._begun) >= MOST:
                self._begun.pop(next(iter(self._begun)))  # `resolve` looks it up when its stream ends
            self._begun[recorded.stream] = recorded.at
        elif (outcome := self._duration.outcome(recorded.event)) is not None:
            self._end(recorded, outcome)

    def _end(self, recorded: RecordedEvent, outcome: str) -> None:
        begun_at = self._begun.pop(recorded.stream, None)
        if begun_at is None:
            self._unknown.append((recorded.stream, recorded.at, outcome))
        else:
            self._observe[outcome]((recorded.at - begun_at).total_seconds())

    def resolve(self, begun_at: BegunAt) -> None:
        """Look up the payment times of orders that were paid before this process started."""
        ended = [self._unknown.popleft() for _ in range(len(self._unknown))]
        if not ended:
            return
        try:
            known = begun_at([stream for stream, _, _ in ended], self._duration.begins.__name__)
        except DBAPIError:
            self._unknown.extendleft(reversed(ended))
            return
        for stream, at, outcome in ended:
            if stream in known:
                self._observe[outcome]((at - known[stream]).total_seconds())
