"""Events of types that this code does not know, as a reader meets them: newer code has written them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

import structlog

from shared.contracts import is_event
from shared.eventstore.recorded import RecordedEvent
from shared.messages.messages import EventBatch

logger = structlog.get_logger()
_known: set[str] = set()  # the names that `is_event` has said yes to: every event of every slice is looked up


@dataclass(frozen=True, slots=True)
class HeldSource:
    """`reader` applies the log of `source` no further than before this position: the event there is an essential one,
    of a type that it does not know."""

    reader: str
    source: str
    position: int
    type: str

    def __str__(self) -> str:
        return (
            f"{self.reader} applies the log of {self.source} up to {self.position - 1} only: the event behind that is "
            f"of the type {self.type}, which must be known and is not; run {self.reader} in the version that wrote it"
        )


class UnknownEvents:
    """What one reader has met of them since it began: `counts` by source and type, `held` by source.

    An event that is not essential is passed over. An essential one holds its source: what comes behind it waits for
    code that knows it.
    """

    def __init__(self, reader: str) -> None:
        self._reader = reader
        self.counts: dict[str, Counter[str]] = {}
        self.held: dict[str, HeldSource] = {}

    def met(self, events: Iterable[RecordedEvent], held: Mapping[str, RecordedEvent]) -> None:
        """These events are passed over for good, and stopped at."""
        for recorded in events:
            counts = self.counts.setdefault(recorded.source, Counter())
            if recorded.type not in counts:
                place = {"source": recorded.source, "position": recorded.position, "type": recorded.type}
                logger.warning("an event of an unknown type", service=self._reader, **place)
            counts[recorded.type] += 1
        for source, recorded in held.items():
            self.held[source] = HeldSource(self._reader, source, recorded.position, recorded.type)
            logger.critical("a source is applied no further", finding=str(self.held[source]))


def understood(part: EventBatch, heard: Container[str]) -> tuple[EventBatch, list[RecordedEvent], RecordedEvent | None]:
    """A stretch of a log up to the first event in it that is essential and not known, the other events in it that are
    not known, and that event. `heard` are the names that the reader knows anyway.
    """
    unknown: list[RecordedEvent] = []
    for index, recorded in enumerate(part.events):
        if (name := recorded.name) in heard or name in _known:
            continue
        if is_event(name):
            _known.add(name)
            continue
        if recorded.is_essential:
            events = part.events[:index]
            last = recorded.position - 1
            hash_ = events[-1].hash if events and events[-1].position == last else b""
            return replace(part, last=last, events=events, hash=hash_), unknown, recorded
        unknown.append(recorded)
    return part, unknown, None
