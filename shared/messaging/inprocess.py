"""The bus inside one process: commands and slices are handed over as objects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future

import sqlalchemy as sa

from shared.eventlog import log
from shared.messaging.port import CommandMessage, Reply, Slice

Accept = Callable[[CommandMessage], "Future[Reply]"]
OnSlice = Callable[[Slice], None]
OnHead = Callable[[str, int], None]


class InProcessBus:
    """A Bus for services that live in one process. Pulls read the source's database."""

    def __init__(self) -> None:
        self._writers: dict[str, Accept] = {}
        self._logs: dict[str, sa.Engine] = {}
        self._readers: dict[str, list[tuple[OnSlice, OnHead]]] = defaultdict(list)

    def attach(self, service: str, accept: Accept, reads: sa.Engine) -> None:
        """Make a service's writer and log reachable."""
        self._writers[service], self._logs[service] = accept, reads

    def send(self, service: str, message: CommandMessage) -> Future[Reply]:
        return self._writers[service](message)

    def publish(self, part: Slice) -> None:
        for on_slice, _ in self._readers[part.source]:
            on_slice(part)

    def announce(self, source: str, head: int) -> None:
        for _, on_head in self._readers[source]:
            on_head(source, head)

    def pull(self, source: str, after: int, limit: int) -> Slice:
        with self._logs[source].connect() as connection:
            events = log.read(connection, source, after, limit)
        return Slice(source, after + 1, events[-1].position if events else after, events)

    def subscribe(self, source: str, on_slice: OnSlice, on_head: OnHead) -> None:
        self._readers[source].append((on_slice, on_head))
