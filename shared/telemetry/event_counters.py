"""Counts what a service has committed, event by event: each once, by the process that committed it."""

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
    """One more, whatever the event says."""
    figures = ((metric, labels, 1),)
    return lambda _: figures


@dataclass(frozen=True, slots=True)
class Duration:
    """How long streams take from an event to their end, as a histogram by outcome.

    `outcome(event)` says how a stream ended with an event, None when it did not end; it is one of `outcomes`.
    """

    metric: Metric
    begins: type[Event]
    outcome: Callable[[Event], str | None]
    outcomes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counters:
    """What a service's own events add up to.

    `by_event` says what an event adds. `zeros` are the labels told from the start: what has not happened yet is told as
    0, or its first time would not show as a rise.
    """

    by_event: Mapping[type[Event], Counted] = field(default_factory=dict)
    zeros: Mapping[Metric, Iterable[tuple[str, ...]]] = field(default_factory=dict)
    duration: Duration | None = None


class EventCounters(Collector):
    """What one service's events add up to since this process started.

    `begun_at` finds when an event of a name last came in these streams; it is asked at scrapes, and only for streams
    that began before this process began to write. When it raises DBAPIError, it is asked again at the next one.
    """

    def __init__(self, service: str, counters: Counters, registry: CollectorRegistry, begun_at: BegunAt) -> None:
        registry.register(self)  # first: it adds to the histogram when it is asked
        self._service, self._begun_at = service, begun_at
        self._events = 0
        self._values: dict[Metric, dict[tuple[str, ...], float]] = {
            metric: defaultdict(float, dict.fromkeys(labels, 0.0)) for metric, labels in counters.zeros.items()
        }
        self._counts = {event.__name__: count for event, count in counters.by_event.items()}
        self._timed = _Timed(counters.duration, registry) if counters.duration else None

    def committed(self, events: Sequence[RecordedEvent]) -> None:
        """These were committed just now."""
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
    """The time from the beginning to the end of each stream that began."""

    def __init__(self, duration: Duration, registry: CollectorRegistry) -> None:
        histogram = duration.metric.histogram(registry)
        self._duration = duration
        self._observe = {outcome: histogram.labels(outcome).observe for outcome in duration.outcomes}
        self._begun: dict[str, datetime] = {}
        self._unknown: deque[tuple[str, datetime, str]] = deque(maxlen=MOST)

    def take(self, recorded: RecordedEvent) -> None:
        if isinstance(recorded.event, self._duration.begins):
            if len(self._begun) >= MOST:
                self._begun.pop(next(iter(self._begun)))  # it is looked up when its stream ends
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
