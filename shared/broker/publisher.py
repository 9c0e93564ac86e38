"""The publisher: sends one service's events to subscribers as CloudEvents, from a durable checkpoint."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from datetime import datetime
from threading import Event

import pika
import sqlalchemy as sa
import structlog
from pydantic import ValidationError

from shared.broker.amqp import (
    keep_connected,
    parameters,
    reachable,
    transient,
    woken_by,
)
from shared.broker.cloudevents import outgoing
from shared.broker.confirmed_publisher import ConfirmedPublisher, EventHeldBack
from shared.broker.publisher_marks import read_mark
from shared.contracts import PositionLost, UnknownMessage
from shared.eventstore import checkpoints, log, log_reader
from shared.eventstore.checkpoints import PUBLISHED_BEFORE_HEALING, PUBLISHER
from shared.eventstore.divergence import Divergence, ReaderPosition
from shared.eventstore.healing import PublishedMark, agrees
from shared.eventstore.leadership import Leadership
from shared.eventstore.recorded import RecordedEvent
from shared.messages.topology import event_key, inbox
from shared.messages.wire import KnownPosition, encode, headers

NAME = PUBLISHER
WINDOW = 1_000
PAGE = 500
STORE_SECONDS = 0.2
STANDBY_SECONDS = 0.5
SETTLE_SECONDS = 5.0


class Diverged(RuntimeError):
    """The log is not the one that was published."""

    def __init__(self, found: Divergence) -> None:
        super().__init__(str(found))
        self.found = found


class Publisher:
    """Publishes the log of one service. Of several publishers one works; the others stand by.

    At most WINDOW events are sent beyond the checkpoint, so at most so many are sent again after a crash. A session
    first sends a single event: while the broker does not confirm it, the others are not sent again and again.

    Before events are sent, the broker stores a mark: how far events may have been published, and the hash of the log's
    chain there. When the log does not hold the marked event, the publisher stops: the log was restored from a backup,
    and would hold other events at published positions. `diverged` says so, and the publisher tells the log's writer,
    which then halts. After healing, the events that replace lost, published events are not published.

    `position`: the checkpoint. `head`: the log's last position, as last read. `oldest`: the time of the first event
    that the broker has not confirmed. `events`: how many events were confirmed since the start. `held`: which event
    holds up the others, and why. `leads`: whether this publisher has the lock, or would work. `connected`: whether
    there is a connection to a broker.
    """

    def __init__(
        self,
        service: str,
        engine: sa.Engine,
        amqp_url: str,
        *,
        require_binding: bool = False,
        every_seconds: float = 1.0,
    ) -> None:
        """`require_binding`: an event that no queue is bound for is not dropped; it waits, and all events behind it.

        `every_seconds`: how often the log's head is read, in case the writer's messages are lost.
        """
        self.service, self.position, self.head, self.events = service, 0, 0, 0
        self.oldest: datetime | None = None
        self.held: EventHeldBack | None = None
        self.diverged = ""
        self._mark, self._passed_over = PublishedMark(0, log.GENESIS), 0
        self._engine, self._every, self._require_binding = engine, every_seconds, require_binding
        self._name = f"publisher of {service}"
        self._parameters = parameters(amqp_url, self._name)
        self._log = structlog.get_logger().bind(publisher=service)
        self._lead = Leadership(engine.url, service, self._wake, NAME)
        self.leads = False
        self._publisher: ConfirmedPublisher | None = None
        self._ahead: deque[RecordedEvent] = deque()
        self._read, self._grown, self._stored_at = 0, False, 0.0

    @property
    def connected(self) -> bool:
        return self._publisher is not None

    def finds_broker(self) -> bool:
        """Whether a broker accepts connections; also for a publisher that stands by or has stopped."""
        return self.connected or reachable(self._parameters)

    def run(self, stop: Event) -> None:
        """Publish until `stop` is set. Broker and database may fail and return, and may be missing at the start."""
        with woken_by(stop, self._wake):
            keep_connected(lambda: self._session(stop), stop, self._log)

    def _wake(self) -> None:
        if publisher := self._publisher:
            publisher.wake()

    def _session(self, stop: Event) -> None:
        self.leads = self._lead.acquire()
        if not self.leads:
            stop.wait(STANDBY_SECONDS)
            return
        try:
            self._resume()
            self._agree()
            self.diverged = ""
            with ConfirmedPublisher(
                self._parameters, self.service, self.position, mandatory=self._require_binding
            ) as publisher:
                self._publisher = publisher
                self._log.info("publishing", position=self.position, head=self.head)
                publisher.tell_owner(self._reached())
                self._work(publisher, stop)
        except Diverged as diverged:
            self.diverged = str(diverged)
            raise
        finally:
            self._publisher = None
            self._lead.release()

    def _agree(self) -> None:
        """Compare the mark with the log. When the log holds another event, tell its writer and raise Diverged.

        A broker without a mark is new or has lost it: then the checkpoint is used. A log that was healed since this
        session began does not agree yet, since the session has the position from before.
        """
        with pika.BlockingConnection(self._parameters) as broker:
            mark = read_mark(broker, self.service)
            if mark is None:
                if self.position:
                    self._log.warning("the broker has no mark of what was published", position=self.position)
                return
            with self._engine.connect() as connection:
                if not agrees(connection, mark, self._passed_over):
                    self._contradict(broker, mark)
                if mark.position > self._mark.position:
                    self._mark = PublishedMark(mark.position, log_reader.hash_at(connection, mark.position))

    def _contradict(self, broker: pika.BlockingConnection, mark: PublishedMark) -> None:
        known = KnownPosition(PUBLISHER, self.service, mark.position, mark.hash)
        properties = transient(headers=headers(known))
        broker.channel().basic_publish("", inbox(self.service, ()).name, encode(known), properties)
        raise Diverged(Divergence(PUBLISHER, self.service, mark.position, self.head))

    def _reached(self) -> ReaderPosition:
        """How far the log may have been published."""
        return ReaderPosition(self._mark.position, self._mark.hash)

    def _resume(self) -> None:
        """Continue behind the checkpoint."""
        with self._engine.begin() as connection:
            self.position = checkpoints.read(connection, NAME)
            self._passed_over = checkpoints.stored(connection, PUBLISHED_BEFORE_HEALING)
            reached = max(self.position, self._passed_over)
            self._mark = PublishedMark(reached, log_reader.hash_at(connection, reached))
        self._read = self.position
        self._ahead.clear()
        self._look()
        self._fill()
        self.oldest = self._ahead[0].at if self._ahead else None

    def _work(self, publisher: ConfirmedPublisher, stop: Event) -> None:
        try:
            look_at = time.monotonic() + self._every
            while not stop.is_set():
                self._lead.check()
                if time.monotonic() >= look_at:
                    self._look()
                    look_at = time.monotonic() + self._every
                if publisher.asked:
                    publisher.asked = False
                    publisher.tell_owner(self._reached())
                self._send(publisher)
                self._grown |= publisher.turn(self._patience(publisher, look_at))
                if publisher.held:
                    raise publisher.held
                if self._is_due(publisher):
                    self._store(publisher)
                self._tell(publisher)
        except EventHeldBack as held:
            self.held = held
            self._settle(publisher)
            raise
        self._settle(publisher)

    # In

    def _look(self) -> None:
        """Read the log's head. Raises Diverged when the log is not the one that was published."""
        with self._engine.connect() as connection:
            self.head = log.read_head(connection).position
            reached = max(self.position, self._mark.position)
            if reached > self.head or log_reader.hash_at(connection, self._mark.position) != self._mark.hash:
                raise Diverged(Divergence(PUBLISHER, self.service, reached, self.head))
        self._grown = self._grown or self.head > self._read

    def _fill(self) -> None:
        """Read the next events to send."""
        self._grown = False
        with self._engine.connect() as connection:
            page = log_reader.read(connection, self.service, self._read, PAGE)
            if page:
                self._read = page[-1].position
                if self._read > self._mark.position:
                    self._mark = PublishedMark(self._read, log_reader.hash_at(connection, self._read))
        if page:
            self._ahead.extend(page)
            self.head = max(self.head, self._read)
        self._grown = self._grown or (bool(page) and self._read < self.head)

    # Out

    def _room(self, publisher: ConfirmedPublisher) -> int:
        window = WINDOW if publisher.has_begun else 1
        return window - (publisher.sent - self.position)

    def _send(self, publisher: ConfirmedPublisher) -> None:
        """Send the events that fit the window and are marked."""
        if not self._ahead and self._grown:
            self._fill()
        if publisher.marking < self._mark.position:
            publisher.mark(replace(self._mark, safe=self.position))
        for _ in range(min(self._room(publisher), len(self._ahead))):
            if self._ahead[0].position > publisher.marked:
                return
            recorded = self._ahead.popleft()
            if recorded.position <= self._passed_over and recorded.name == PositionLost.__name__:
                publisher.skip(recorded.position)
                continue
            try:
                messages = outgoing(recorded)
            except (UnknownMessage, ValidationError) as error:
                key, reason = event_key(self.service, recorded.type), type(error).__name__
                raise EventHeldBack(recorded.position, key, f"this code can't read it ({reason})") from None
            publisher.send(messages)

    def _patience(self, publisher: ConfirmedPublisher, look_at: float) -> float:
        is_marked = not self._ahead or self._ahead[0].position <= publisher.marked
        if (self._ahead or self._grown) and self._room(publisher) > 0 and is_marked:
            return 0.0
        until = look_at
        if publisher.confirmed > self.position:
            until = min(until, self._stored_at + STORE_SECONDS)
        return max(0.0, until - time.monotonic())

    def _tell(self, publisher: ConfirmedPublisher) -> None:
        first = publisher.oldest or (self._ahead[0] if self._ahead else None)
        self.oldest = first.at if first else None
        if self.held and publisher.confirmed >= self.held.position:
            self.held = None

    # The checkpoint

    def _is_due(self, publisher: ConfirmedPublisher) -> bool:
        fresh = publisher.confirmed - self.position
        return fresh >= WINDOW // 2 or (fresh > 0 and time.monotonic() >= self._stored_at + STORE_SECONDS)

    def _store(self, publisher: ConfirmedPublisher) -> None:
        after = publisher.confirmed
        if after > self.position:
            with self._engine.begin() as connection:
                checkpoints.move(connection, NAME, self.position, after)
            self.events += after - self.position
            self.position, self._stored_at = after, time.monotonic()

    def _settle(self, publisher: ConfirmedPublisher) -> None:
        """Wait a while for outstanding confirms, and store the checkpoint."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while publisher.settled < publisher.sent and (left := deadline - time.monotonic()) > 0:
            publisher.turn(left)
        self._store(publisher)
