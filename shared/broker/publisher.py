"""The publisher: sends one service's log to the outside, one CloudEvent a message, from a durable checkpoint."""

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
    keep_at_it,
    parameters,
    reachable,
    transient,
    woken_by,
)
from shared.broker.cloudevents import outgoing
from shared.broker.confirmed_publisher import ConfirmedPublisher, EventHeldBack
from shared.broker.publisher_marks import read_mark
from shared.contracts import PositionLost, UnknownMessage
from shared.eventstore import checkpoints, log
from shared.eventstore.checkpoints import PUBLISHER, TOLD
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
    """The log is not the one that the outside was told of."""

    def __init__(self, found: Divergence) -> None:
        super().__init__(str(found))
        self.found = found


class Publisher:
    """Publishes the log of one service; of several only one is at work, the others stand by.

    At most `WINDOW` events are sent beyond the checkpoint, so no more are sent again after a crash. A session begins
    with a single one: while the broker does not take that, the others are not sent again and again.

    Before an event is sent, the broker keeps how far the outside may be told, with the hash of the log's chain there:
    the mark. A log that does not hold what is marked, or is told, stops it: the log was set back, and what comes at
    those positions is something else than what was told of them. `diverged` says so, and the log's writer is told,
    who decides nothing then. What a healed log has in place of lost events that were told is not told again.

    `position` is the checkpoint, `head` where the log ends as last seen, `oldest` the time of the first event that is
    not yet safe with the broker, `events` how many became so since the start; `held` says which event holds the others
    up, and why. `leads` tells whether this one is, or would be, at work, `connected` whether it is with a broker.
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
        """`require_binding`: an event that no queue is bound for is not lost, but waits, and all behind it wait.

        `every_seconds`: how often the log's end is looked for, should what its writer publishes be lost.
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
        """Whether a broker is there, also for one that stands by, or is held up before it connects."""
        return self.connected or reachable(self._parameters)

    def run(self, stop: Event) -> None:
        """Publish until stopped. Broker and database may come and go; neither is needed to start."""
        with woken_by(stop, self._wake):
            keep_at_it(lambda: self._session(stop), stop, self._log)

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
        """Compare what was told with the log. Raises Diverged when the log holds something else, and tells its writer.

        A broker that has no mark has lost it, or is new: then the checkpoint has to do. A log that was healed since
        this session began does not agree yet, for the session begins where it was before.
        """
        with pika.BlockingConnection(self._parameters) as broker:
            told = read_mark(broker, self.service)
            if told is None:
                if self.position:
                    self._log.warning("the broker does not know how far the outside was told", position=self.position)
                return
            with self._engine.connect() as connection:
                if not agrees(connection, told, self._passed_over):
                    self._contradict(broker, told)
                if told.position > self._mark.position:
                    self._mark = PublishedMark(told.position, log.hash_at(connection, told.position))

    def _contradict(self, broker: pika.BlockingConnection, told: PublishedMark) -> None:
        known = KnownPosition(PUBLISHER, self.service, told.position, told.hash)
        properties = transient(headers=headers(known))
        broker.channel().basic_publish("", inbox(self.service, ()).name, encode(known), properties)
        raise Diverged(Divergence(PUBLISHER, self.service, told.position, self.head))

    def _reached(self) -> ReaderPosition:
        """How far the outside may have been told."""
        return ReaderPosition(self._mark.position, self._mark.hash)

    def _resume(self) -> None:
        """Begin behind the checkpoint."""
        with self._engine.begin() as connection:
            self.position = checkpoints.read(connection, NAME)
            self._passed_over = checkpoints.stored(connection, TOLD)
            reached = max(self.position, self._passed_over)
            self._mark = PublishedMark(reached, log.hash_at(connection, reached))
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
        """See how far the log reaches. Raises Diverged when it is not the one that the outside was told of."""
        with self._engine.connect() as connection:
            self.head = log.read_head(connection).position
            reached = max(self.position, self._mark.position)
            if reached > self.head or log.hash_at(connection, self._mark.position) != self._mark.hash:
                raise Diverged(Divergence(PUBLISHER, self.service, reached, self.head))
        self._grown = self._grown or self.head > self._read

    def _fill(self) -> None:
        """Read what is to be sent next."""
        self._grown = False
        with self._engine.connect() as connection:
            page = log.read(connection, self.service, self._read, PAGE)
            if page:
                self._read = page[-1].position
                if self._read > self._mark.position:
                    self._mark = PublishedMark(self._read, log.hash_at(connection, self._read))
        if page:
            self._ahead.extend(page)
            self.head = max(self.head, self._read)
        self._grown = self._grown or (bool(page) and self._read < self.head)

    # Out

    def _room(self, publisher: ConfirmedPublisher) -> int:
        window = WINDOW if publisher.has_begun else 1
        return window - (publisher.sent - self.position)

    def _send(self, publisher: ConfirmedPublisher) -> None:
        """Hand over what the window has room for, and the broker has a mark for."""
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
        """Wait a while for what the broker has not answered, and store how far it came."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while publisher.settled < publisher.sent and (left := deadline - time.monotonic()) > 0:
            publisher.turn(left)
        self._store(publisher)
