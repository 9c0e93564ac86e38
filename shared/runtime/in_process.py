"""The bus inside one process: commands and slices are handed over as objects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future

import sqlalchemy as sa

from shared.eventstore import log
from shared.eventstore.divergence import Divergence, ReaderPosition, divergence
from shared.messages.messages import CommandMessage, EventBatch, Reply

Accept = Callable[[CommandMessage], "Future[Reply]"]
OnSlice = Callable[[EventBatch], None]
OnHead = Callable[[str, int], None]
OnDivergence = Callable[[Divergence], None]


class InProcessBus:
    """A Bus for services that live in one process. Pulls read the source's database."""

    def __init__(self) -> None:
        self._writers: dict[str, Accept] = {}
        self._logs: dict[str, sa.Engine] = {}
        self._contested: dict[str, OnDivergence] = {}
        self._readers: dict[str, list[tuple[OnSlice, OnHead]]] = defaultdict(list)

    def attach(
        self, service: str, accept: Accept, reads: sa.Engine, contested: OnDivergence = lambda found: None
    ) -> None:
        """Make a service's writer and log reachable. `contested` hears when a reader knows other events of the log."""
        self._writers[service], self._logs[service], self._contested[service] = accept, reads, contested

    def send(self, service: str, message: CommandMessage) -> Future[Reply]:
        return self._writers[service](message)

    def publish(self, part: EventBatch) -> None:
        for on_slice, _ in self._readers[part.source]:
            on_slice(part)

    def announce(self, source: str, head: int) -> None:
        for _, on_head in self._readers[source]:
            on_head(source, head)

    def pull(self, source: str, after: int, limit: int) -> EventBatch:
        with self._logs[source].connect() as connection:
            before, events = log.read_chained(connection, source, after, limit)
        last, reached = (events[-1].position, events[-1].hash) if events else (after, before)
        return EventBatch(source, after + 1, last, events, before, reached)

    def compare(self, reader: str, source: str, reached: ReaderPosition) -> Divergence | None:
        """What a log has against what a reader has applied of it; its owner hears of it."""
        with self._logs[source].connect() as connection:
            found = divergence(connection, reader, source, reached)
        if found is not None:
            self._contested[source](found)
        return found

    def subscribe(self, source: str, on_slice: OnSlice, on_head: OnHead) -> None:
        self._readers[source].append((on_slice, on_head))
