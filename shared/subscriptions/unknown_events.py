"""What a reader does with events whose type its code does not know: newer code has written them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

import structlog

from shared.contracts import is_event
from shared.eventstore.recorded import RecordedEvent
from shared.messages.messages import EventBatch

logger = structlog.get_logger()
_known: set[str] = set()  # names that `is_event` has confirmed: every event of every batch is looked up


@dataclass(frozen=True, slots=True)
class HeldSource:
    """`reader` cannot apply the event at `position` of the log of `source`: it is essential, and the reader does not
    know its type."""

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
    """The events of unknown types that one reader has met since it began: `counts` by source and type, `held` by
    source.

    The reader passes over an event that is not essential. An essential event holds its source: the events behind it
    wait until code runs that knows its type.
    """

    def __init__(self, reader: str) -> None:
        self._reader = reader
        self.counts: dict[str, Counter[str]] = {}
        self.held: dict[str, HeldSource] = {}

    def met(self, events: Iterable[RecordedEvent], held: Mapping[str, RecordedEvent]) -> None:
        """Count `events`, which the commit passed over, and note where sources are `held`."""
        for recorded in events:
            counts = self.counts.setdefault(recorded.source, Counter())
            if recorded.type not in counts:
                place = {"source": recorded.source, "position": recorded.position, "type": recorded.type}
                logger.warning("an event of an unknown type", service=self._reader, **place)
            counts[recorded.type] += 1
        for source, recorded in held.items():
            self.held[source] = HeldSource(self._reader, source, recorded.position, recorded.type)
            logger.critical("a source is applied no further", finding=str(self.held[source]))


def understood(
    batch: EventBatch, heard: Container[str]
) -> tuple[EventBatch, list[RecordedEvent], RecordedEvent | None]:
    """Cut a batch at its first essential event of an unknown type. Returns the batch before it, the other unknown
    events in that batch, and the essential event or None. `heard`: names that the reader knows.
    """
    unknown: list[RecordedEvent] = []
    for index, recorded in enumerate(batch.events):
        if (name := recorded.name) in heard or name in _known:
            continue
        if is_event(name):
            _known.add(name)
            continue
        if recorded.is_essential:
            events = batch.events[:index]
            last = recorded.position - 1
            hash_ = events[-1].hash if events and events[-1].position == last else b""
            return replace(batch, last=last, events=events, hash=hash_), unknown, recorded
        unknown.append(recorded)
    return batch, unknown, None
