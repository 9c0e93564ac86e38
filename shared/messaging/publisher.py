"""The publisher: sends one service's log to the outside, one CloudEvent a message, from a durable checkpoint."""

from __future__ import annotations

import time
from collections import deque
from datetime import datetime
from threading import Event

import sqlalchemy as sa
import structlog
from pydantic import ValidationError

from shared.contracts import UnknownMessage
from shared.eventlog import checkpoints, log
from shared.eventlog.leading import Lead
from shared.eventlog.recorded import Recorded
from shared.messaging.amqp import keep_at_it, parameters, woken_by
from shared.messaging.outgoing import outgoing
from shared.messaging.outlet import Held, Outlet
from shared.messaging.topology import event_key

NAME = "publisher"
WINDOW = 1_000
PAGE = 500
STORE_SECONDS = 0.2
STANDBY_SECONDS = 0.5
SETTLE_SECONDS = 5.0


class Publisher:
    """Publishes the log of one service; of several only one is at work, the others stand by.

    At most `WINDOW` events are sent beyond the checkpoint, so no more are sent again after a crash. A session begins
    with a single one: while the broker does not take that, the others are not sent again and again.

    `position` is the checkpoint, `head` where the log ends as last seen, `oldest` the time of the first event that is
    not yet safe with the broker, `events` how many became so since the start; `held` says which event holds the others
    up, and why. `leads` tells whether this one is, or would be, at work, `connected` whether a broker is there.
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
        self.held: Held | None = None
        self._engine, self._every, self._require_binding = engine, every_seconds, require_binding
        self._name = f"publisher of {service}"
        self._parameters = parameters(amqp_url, self._name)
        self._log = structlog.get_logger().bind(publisher=service)
        self._lead = Lead(engine.url, service, self._wake, NAME)
        self.leads = False
        self._outlet: Outlet | None = None
        self._ahead: deque[Recorded] = deque()
        self._read, self._grown, self._stored_at = 0, False, 0.0

    @property
    def connected(self) -> bool:
        return self._outlet is not None

    def run(self, stop: Event) -> None:
        """Publish until stopped. Broker and database may come and go; neither is needed to start."""
        with woken_by(stop, self._wake):
            keep_at_it(lambda: self._session(stop), stop, self._log)

    def _wake(self) -> None:
        if outlet := self._outlet:
            outlet.wake()

    def _session(self, stop: Event) -> None:
        self.leads = self._lead.acquire()
        if not self.leads:
            stop.wait(STANDBY_SECONDS)
            return
        try:
            self._resume()
            with Outlet(self._parameters, self.service, self.position, mandatory=self._require_binding) as outlet:
                self._outlet = outlet
                self._log.info("publishing", position=self.position, head=self.head)
                self._work(outlet, stop)
        finally:
            self._outlet = None
            self._lead.release()

    def _resume(self) -> None:
        """Begin behind the checkpoint."""
        with self._engine.begin() as connection:
            self.position = checkpoints.read(connection, NAME)
        self._read = self.position
        self._ahead.clear()
        self._look()
        self._fill()
        self.oldest = self._ahead[0].at if self._ahead else None

    def _work(self, outlet: Outlet, stop: Event) -> None:
        try:
            look_at = time.monotonic() + self._every
            while not stop.is_set():
                self._lead.check()
                if time.monotonic() >= look_at:
                    self._look()
                    look_at = time.monotonic() + self._every
                self._send(outlet)
                self._grown |= outlet.turn(self._patience(outlet, look_at))
                if outlet.held:
                    raise outlet.held
                if self._is_due(outlet):
                    self._store(outlet)
                self._tell(outlet)
        except Held as held:
            self.held = held
            self._settle(outlet)
            raise
        self._settle(outlet)

    # In

    def _look(self) -> None:
        with self._engine.connect() as connection:
            self.head = log.read_head(connection).position
        self._grown = self._grown or self.head > self._read

    def _fill(self) -> None:
        """Read what is to be sent next."""
        self._grown = False
        with self._engine.connect() as connection:
            page = log.read(connection, self.service, self._read, PAGE)
        if page:
            self._ahead.extend(page)
            self._read = page[-1].position
            self.head = max(self.head, self._read)
        self._grown = self._grown or len(page) == PAGE

    # Out

    def _room(self, outlet: Outlet) -> int:
        window = WINDOW if outlet.has_begun else 1
        return window - (outlet.sent - self.position)

    def _send(self, outlet: Outlet) -> None:
        """Hand over what the window has room for."""
        if not self._ahead and self._grown:
            self._fill()
        for _ in range(min(self._room(outlet), len(self._ahead))):
            recorded = self._ahead.popleft()
            try:
                messages = outgoing(recorded)
            except (UnknownMessage, ValidationError) as error:
                key, reason = event_key(self.service, recorded.type), type(error).__name__
                raise Held(recorded.position, key, f"this code can't read it ({reason})") from None
            outlet.send(messages)

    def _patience(self, outlet: Outlet, look_at: float) -> float:
        if (self._ahead or self._grown) and self._room(outlet) > 0:
            return 0.0
        until = look_at
        if outlet.confirmed > self.position:
            until = min(until, self._stored_at + STORE_SECONDS)
        return max(0.0, until - time.monotonic())

    def _tell(self, outlet: Outlet) -> None:
        first = outlet.oldest or (self._ahead[0] if self._ahead else None)
        self.oldest = first.at if first else None
        if self.held and outlet.confirmed >= self.held.position:
            self.held = None

    # The checkpoint

    def _is_due(self, outlet: Outlet) -> bool:
        fresh = outlet.confirmed - self.position
        return fresh >= WINDOW // 2 or (fresh > 0 and time.monotonic() >= self._stored_at + STORE_SECONDS)

    def _store(self, outlet: Outlet) -> None:
        after = outlet.confirmed
        if after > self.position:
            with self._engine.begin() as connection:
                checkpoints.move(connection, NAME, self.position, after)
            self.events += after - self.position
            self.position, self._stored_at = after, time.monotonic()

    def _settle(self, outlet: Outlet) -> None:
        """Wait a while for what the broker has not answered, and store how far it came."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while outlet.settled < outlet.sent and (left := deadline - time.monotonic()) > 0:
            outlet.turn(left)
        self._store(outlet)
