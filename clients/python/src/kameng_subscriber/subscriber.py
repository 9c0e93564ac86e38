"""A subscriber: every event it wants from the first on, each handled once, in order for each key."""

from __future__ import annotations

import logging
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from heapq import merge
from typing import Any

from kameng_subscriber.amqp import ALONE, Line, Queue
from kameng_subscriber.dead import DeadLetters
from kameng_subscriber.errors import HandlerFailed, Later, Misconfigured, Unavailable, Unreadable
from kameng_subscriber.event import Event, from_message, from_structured, headers_of
from kameng_subscriber.feed import Feed
from kameng_subscriber.place import MemoryPlace, Place
from kameng_subscriber.selecting import EVERYTHING, Selection

log = logging.getLogger("kameng_subscriber")
Handler = Callable[[Event], None]
Item = Mapping[str, Any]
LONGEST_PAUSE_SECONDS = 30.0
IDLE_SECONDS = 1.0
STEADY_SECONDS = 10.0


class Subscriber:
    """Hands events to `handle`, one after another.

    With `feed` and `queue`: first the feed from where the place is, then the queue, without a gap or a repeat. With
    `feed` alone it asks the feed every `poll_seconds`. With `queue` alone it begins with what comes once it is bound.
    `only` says which events, as patterns (see Selection). `place` remembers what was handled; without one that is
    forgotten at the end of the process.

    A handler that raises is called again, up to `attempts` times with growing pauses, while everything behind waits;
    then the event becomes a dead letter, or, where there is no queue, `run` raises HandlerFailed. A handler that raises
    Later is called again for as long as it takes.
    """

    def __init__(
        self,
        handle: Handler,
        *,
        feed: Feed | None = None,
        queue: Queue | None = None,
        place: Place | None = None,
        only: Sequence[str] = EVERYTHING,
        attempts: int = 5,
        poll_seconds: float = 1.0,
    ) -> None:
        if feed is None and queue is None:
            raise Misconfigured("a subscriber needs a feed, a queue, or both")
        if attempts < 1 or poll_seconds <= 0:
            raise Misconfigured("`attempts` begin at 1, and `poll_seconds` is more than 0")
        self._handle, self._feed, self._queue = handle, feed, queue
        self._place = place if place is not None else MemoryPlace()
        self._selection = Selection(only)
        self._attempts, self._poll = attempts, poll_seconds
        self._stop = threading.Event()
        self._careful = True
        self._dead = DeadLetters(queue) if queue else None

    def stop(self) -> None:
        """End `run` when the event in hand is handled; from any thread, or from a handler."""
        self._stop.set()

    def run(self, *, signals: bool = True) -> None:
        """Go on until stopped; with `signals`, SIGTERM and SIGINT stop it too. What fails for a while is tried again.

        Raises Misconfigured, LogLost (which is one) and HandlerFailed.
        """
        self._place.open(str(self._selection))
        with _on_signals(self.stop) if signals else nullcontext():
            failures = 0
            while not self._stop.is_set():
                since = time.monotonic()
                try:
                    self._session()
                except Unavailable as error:
                    failures = 1 if time.monotonic() - since > STEADY_SECONDS else failures + 1
                    log.warning("%s; trying again", error)
                    self._stop.wait(_pause(failures))

    def _session(self) -> None:
        self._check_place()
        if self._queue is None:
            self._catch_up()
            self._stop.wait(self._poll)
            return
        with Line(self._queue, self._selection) as line:
            if new := not line.finds_queue():
                self._place.replayed(done=False)  # before it is there, lest we die in between
            line.bind(self._stop, new=new)
        if self._feed and not self._place.replayed():
            if not self._catch_up():
                return
            self._place.replayed(done=True)
            log.info("the feed is read; going on with the queue")
        self._listen(self._queue)

    def _check_place(self) -> None:
        """Raises LogLost where the place holds events that are in no log any more."""
        if self._feed is None:
            return
        wanted = self._selection.sources
        for source, sequence in self._place.through().items():
            if source in wanted:
                self._feed.check(source, sequence)

    def _listen(self, queue: Queue) -> None:
        """A process's first message comes alone: should it kill us, those behind it do not count as tried."""
        while not self._stop.is_set():
            with Line(queue, self._selection) as line:
                line.listen(ALONE if self._careful else queue.prefetch)
                self._work(line)

    def _work(self, line: Line) -> None:
        while not self._stop.is_set():
            delivery = line.next(IDLE_SECONDS)
            if delivery is None:
                continue
            try:
                done = self._offer(lambda delivery=delivery: from_message(delivery.headers, delivery.body))
            except HandlerFailed as error:
                log.error("%s: a dead letter", error)
                line.reject(delivery.tag)
                done = True
            else:
                if done:
                    line.accept(delivery.tag)
            if done and self._careful:
                self._careful = False
                return

    def _catch_up(self) -> bool:
        """Read the feed, all logs together in the order of time. False when told to stop before that.

        Up to where the logs end as this begins: what comes meanwhile is in the queue, or read at the next time.
        """
        assert self._feed is not None
        through = self._place.through()
        logs = [self._wanted(self._feed, source, through.get(source, 0)) for source in self._selection.sources]
        for item in merge(*logs, key=_time_of):
            try:
                done = self._offer(lambda item=item: from_structured(item))
            except HandlerFailed as error:
                if self._dead is None:
                    raise
                log.error("%s: a dead letter", error)
                self._dead.add(headers_of(item), item.get("data"))
                done = True
            if not done:
                return False
        return not self._stop.is_set()

    def _wanted(self, feed: Feed, source: str, after: int) -> Iterator[Item]:
        """Comes back for the next page when all of the one before is handled, so the place may move over it."""
        end = feed.end(source, after)
        for page in feed.pages(source, after) if end > after else ():
            for item in page.items:
                if self._stop.is_set():
                    return
                if self._selection.wants(str(item.get("type")).removeprefix("kameng.")):
                    yield item
            self._place.passed(source, page.last)
            if page.last >= end:
                return

    def _offer(self, read: Callable[[], Event]) -> bool:
        """Have an event handled. False when told to stop before that. Raises HandlerFailed when it can't be."""
        try:
            event = read()
        except Unreadable as error:
            raise HandlerFailed(f"an event can't be read: {error}") from error
        if event.has_twin:
            return True
        tries = failures = 0
        while True:
            try:
                self._take(event)
                return True
            except _Failed as failed:
                error, tries = failed.error, tries + 1
                log.warning("%s failed, attempt %d of %d", event, tries, self._attempts, exc_info=error)
                if tries >= self._attempts:
                    raise HandlerFailed(f"{event} failed {tries} times: {type(error).__name__}") from error
            except Misconfigured:
                raise
            except Exception as error:  # noqa: BLE001 - neither the event's fault nor the handler's
                log.warning("%s waits: %s: %s", event, type(error).__name__, error)
            failures += 1
            if self._stop.wait(_pause(failures)):
                return False

    def _take(self, event: Event) -> None:
        with self._place.taking(event) as fresh:
            if not fresh:
                return
            try:
                self._handle(event)
            except (Later, Misconfigured):
                raise
            except Exception as error:
                raise _Failed(error) from error


class _Failed(Exception):
    """The handler raised."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def _time_of(item: Item) -> datetime:
    try:
        at = datetime.fromisoformat(str(item.get("time")))
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)  # it will be found unreadable


def _pause(failures: int) -> float:
    """Growing, and never the same for all who lost the same broker."""
    return min(LONGEST_PAUSE_SECONDS, 0.2 * 2 ** min(failures, 10)) * random.uniform(0.5, 1.0)


@contextmanager
def _on_signals(stop: Callable[[], None]) -> Iterator[None]:
    before = {number: signal.signal(number, lambda *_: stop()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
