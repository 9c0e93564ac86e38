"""Feeds a writer: what arrives goes into its inbox, what comes of it goes out. Any host may turn the crank."""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime

from shared.eventstore.divergence import ReaderPosition
from shared.eventstore.log import to_text
from shared.messages.messages import (
    Bus,
    CommandMessage,
    EventBatch,
    Reply,
)
from shared.scheduler.scheduler import DueCall
from shared.telemetry import tracing
from shared.writer.inputs import (
    CallDone,
    CallFailed,
    CommitResult,
    Input,
)
from shared.writer.writer import Writer, describe

BATCH = 500
BACKLOG = 20_000
PULL = 1_000


class ConsumerLoop:
    """One service's inbox and its writer.

    `perform` is handed each call to the outside world and must see to it that `make_call` runs, on whatever thread;
    `committed` hears how far the service has now applied each log, its own included.
    """

    def __init__(
        self,
        writer: Writer,
        bus: Bus,
        perform: Callable[[DueCall], object],
        committed: Callable[[Mapping[str, int]], None] = lambda positions: None,
    ) -> None:
        self.writer, self._bus, self._perform, self._tell = writer, bus, perform, committed
        self._inbox: queue.SimpleQueue[Input | None] = queue.SimpleQueue()
        self._unfinished: list[Input] = []
        self._replies: dict[int, Future[Reply]] = {}
        self._heads = dict.fromkeys(writer.service.sources(), 0)
        self._busy = False
        self._calling: set[tuple[str, str, int]] = set()

    # Arrivals, from any thread

    def accept(self, message: CommandMessage) -> Future[Reply]:
        """Take a command in; the future ends after the commit that holds its outcome."""
        future: Future[Reply] = Future()
        arrival = replace(message)
        self._replies[id(arrival)] = future
        self._inbox.put(arrival)
        return future

    def offer(self, work: Input) -> None:
        """Take any other work in."""
        self._inbox.put(work)

    def on_slice(self, part: EventBatch) -> None:
        """A slice too many is left out: the reader will find the gap and pull when it has time."""
        if self._inbox.qsize() < BACKLOG:
            self._inbox.put(part)

    def on_head(self, source: str, head: int) -> None:
        """A source's log reaches this far; what is missing is pulled."""
        self._heads[source] = head

    def wake(self) -> None:
        """End a wait that has nothing to wait for any more."""
        self._inbox.put(None)

    # The crank, from one thread

    def start(self) -> None:
        """Start the writer, and have slices of what it reads handed over."""
        self.writer.start()
        for source in self.writer.service.sources():
            self._bus.subscribe(source, self.on_slice, self.on_head)

    def turn(self, wait_seconds: float = 0.0) -> bool:
        """Wait until something arrives or falls due, commit it as one batch, and send out what came of it.

        False when there was nothing to do. An error of the database is raised; the work is kept for the next turn.
        """
        self.writer.look_for_room()
        self._unfinished = works = self._unfinished or self._arrived(self._patience(wait_seconds))
        lagging = [] if works else self._lagging()
        due = not works and (self._is_due() or (self.writer.is_ahead and not self.writer.halted))
        self._busy = bool(works or lagging or due)
        if not self._busy:
            return False
        if works or due:
            outcome = self.writer.process(works)
            self._unfinished = []
            for work in works:
                if isinstance(work, CallDone | CallFailed):
                    self._calling.discard((work.call.key, work.call.token, work.call.attempt))
            self._finish(outcome)
        for source in lagging:
            self.catch_up(source)
        self._busy = False
        return True

    def _patience(self, wait_seconds: float) -> float:
        due = self.writer.next_due()
        if due is None or wait_seconds <= 0:
            return wait_seconds
        now = self.writer.ports.now()
        if due <= to_text(now):
            return 0.0
        return min(wait_seconds, (datetime.fromisoformat(due) - now).total_seconds())

    def _is_due(self) -> bool:
        return self.writer.is_due()

    def _arrived(self, wait_seconds: float) -> list[Input]:
        works: list[Input] = []
        try:
            first = self._inbox.get(timeout=wait_seconds) if wait_seconds > 0 else self._inbox.get_nowait()
            while True:
                if first is not None:
                    works.append(first)
                if len(works) >= BATCH:
                    break
                first = self._inbox.get_nowait()
        except queue.Empty:
            pass
        return works

    def _lagging(self) -> list[str]:
        positions = self.writer.positions
        held = self.writer.unknown.held
        lagging = [source for source, head in self._heads.items() if positions[source] < head and source not in held]
        return lagging if self._inbox.empty() and not self.writer.halted else []

    def catch_up(self, source: str) -> None:
        """Pull what is missing of a source, page by page, until nothing is, or it is found to be another log, or to
        hold what must be known and is not."""
        stopped = (self.writer.diverged, self.writer.unknown.held)
        while not any(source in some for some in stopped) and not self.writer.halted:
            part = self._bus.pull(source, self.writer.positions[source], PULL)
            if not part.events:
                return
            self._finish(self.writer.process([part]))

    def compare(self) -> None:
        """Find out whether the logs that were applied here are those that there are now, before anything is decided."""
        for source, position in self.writer.positions.items():
            reached = ReaderPosition(position, self.writer.hashes.get(source, b""))
            if found := self._bus.compare(self.writer.service.name, source, reached):
                self.writer.diverge(found)
            else:
                self.writer.diverged.pop(source, None)
        self.writer.tell_sources()

    def _finish(self, outcome: CommitResult) -> None:
        for message, reply in outcome.replies:
            future = self._replies.pop(id(message), None)
            if future is not None and future.set_running_or_notify_cancel():
                future.set_result(reply)
        if outcome.published is not None:
            self._bus.publish(outcome.published)
        for call in outcome.calls:
            self._calling.add((call.key, call.token, call.attempt))
            self._perform(call)
        self._tell(self.writer.reached)
        for source in outcome.gaps:
            self.catch_up(source)

    def announce(self) -> None:
        """Tell readers how far this log reaches."""
        self._bus.announce(self.writer.service.name, self.writer.head.position)

    def is_settled(self, heads: Mapping[str, int]) -> bool:
        """Whether everything up to these heads is applied, and nothing is waiting, due or under way."""
        if self._busy or self._calling or self._unfinished or self._replies:
            return False
        if not self._inbox.empty() or self._is_due() or self.writer.is_ahead:
            return False
        return all(
            self.writer.positions[source] >= heads[source] for source in self.writer.positions if source in heads
        )

    def lag(self) -> dict[str, int]:
        """How many events of each source are known and not applied."""
        return {source: max(0, head - self.writer.positions[source]) for source, head in self._heads.items()}


def make_call(writer: Writer, call: DueCall) -> CallDone | CallFailed:
    """Make one call to the outside world and tell what came of it."""
    with tracing.calling(writer.service.name, call) as traced:
        try:
            result = writer.service.effects[call.effect].run(call.payload, call.attempt, writer.outside)
            writer.stream_of(result)
            return CallDone(traced, result)
        except Exception as error:  # noqa: BLE001 - whatever the outside does must come back as a result
            told = describe(error)
            tracing.call_failed(told)
            return CallFailed(traced, told)
