"""One term of a writer as its service's leader: what arrives is committed in batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial

import structlog
from kombu.transport.pyamqp import Message
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential

from shared.broker.topology import (
    inbox,
    log_exchange,
    pulls,
    shown_exchange,
)
from shared.eventstore.engines import is_outage
from shared.eventstore.leadership import Leadership, LeadershipLost
from shared.messages.wire import (
    Pull,
    ReadModelPosition,
    Wire,
    encode,
    headers,
    slices,
)
from shared.runtime.cluster.alarm import Alarm
from shared.runtime.cluster.broker_connection import ERRORS, BrokerConnection, BrokerSession
from shared.runtime.cluster.metrics import WriterMetrics
from shared.scheduler.scheduler import AT_ONCE
from shared.subscriptions.batch import InputBatch
from shared.subscriptions.divergence import HOLD_SECONDS, DivergenceCheck
from shared.subscriptions.lag import LagTracker
from shared.subscriptions.tracker import SubscriptionTracker
from shared.writer.external_calls import ExternalCalls, Perform
from shared.writer.inputs import CommitResult
from shared.writer.writer import Writer

TICK_SECONDS = 0.5
SETTLE_SECONDS = 5.0
QUICK_SECONDS, LINGER_SECONDS, LONGEST_LINGER_SECONDS, ENOUGH = 0.005, 0.015, 0.06, 50
PULL = 1_000
logger = structlog.get_logger()


class Stopped(Exception):
    """Told to stop while the database does not take a batch: its messages go back to the broker."""


class LeaderSession:
    """A started writer and its crank, turned by one thread.

    `perform` sees to it that a call is made elsewhere (see ExternalCalls). `run` raises LeadershipLost, or log.Fenced,
    when another writer may be at work: then nothing that is known here is of use any more.
    """

    def __init__(
        self,
        writer: Writer,
        lead: Leadership,
        amqp_url: str,
        alarm: Alarm,
        metrics: WriterMetrics,
        perform: Perform,
        is_stopping: Callable[[], bool],
        readers: Iterable[str] = (),
    ) -> None:
        self.writer, self.turned_at = writer, time.monotonic()
        self.following, self.behind = SubscriptionTracker(writer.service.sources()), LagTracker()
        self.agreeing = DivergenceCheck(writer, self.following, readers)
        name, shows = writer.service.name, writer.service.is_queried
        self._log, self._shown = log_exchange(name), shown_exchange(name) if shows else None
        self._inbox = inbox(name, writer.service.sources())
        exchanges = [self._log, self._shown] if self._shown else [self._log]
        self.link = BrokerConnection(amqp_url, self._inbox, exchanges, alarm.ring)
        self._calls = ExternalCalls(perform, alarm.ring)
        self._lead, self._alarm, self._metrics, self._is_stopping = lead, alarm, metrics, is_stopping
        self._session: BrokerSession | None = None
        self._linger_until = self._committed_at = 0.0

    def run(self) -> None:
        """Until told to stop; then what was begun is brought to its end."""
        try:
            self._hear_readers()
            while not self._is_stopping():
                self._turn(self._patience())
            self._settle()
        except Stopped:
            logger.warning("stopped, with a batch that the database did not take", service=self.writer.service.name)
        finally:
            self.link.close()

    def _hear_readers(self) -> None:
        """Decide nothing before those who read this log have said how far they know it, or were silent for long."""
        asked: BrokerSession | None = None
        until = time.monotonic()
        while self.agreeing.missing and not self._is_stopping():
            session = self._current_session()
            if session is not asked and session is not None:
                asked, until = session, time.monotonic() + HOLD_SECONDS
                question = self.agreeing.question()
                self._tell(session, question, exchange=self._log)
            if session is not None and time.monotonic() > until:
                self._go_on_without_readers()
                return
            self._receive(TICK_SECONDS)
            self._lead.check()
            if session is not None and session is self.link.session:
                self._say(session, self.agreeing.overhear(session.arrived))

    def _go_on_without_readers(self) -> None:
        """That is nothing to look after where all of a new cluster starts at once; who has read more will say so."""
        tell = logger.warning if self.writer.head.position else logger.info
        tell("readers are silent", service=self.writer.service.name, of=sorted(self.agreeing.missing))

    def _say(self, session: BrokerSession | None, told: Iterable[tuple[str, Wire]]) -> None:
        for queue, body in told:
            if session is not None:
                self._tell(session, body, queue=queue)

    def _turn(self, seconds: float) -> bool:
        """Wait for something to do, and do it. Whether there was something."""
        self._receive(seconds)
        self._lead.check()
        self.writer.look_for_room()
        if off := self.writer.clock_off:
            raise LeadershipLost(off)
        session = self.link.session
        batch = self._collect(session)
        self._say(session, self.agreeing.hear(batch))
        if batch.works or self._is_due():
            self._finish(session, batch, self._commit(batch))
        if session is not None and batch.last is not None:
            self._guarded(session, BrokerSession.acknowledge, batch.last)
        self._listen_again()
        self._pull_what_is_missing()
        self.behind.look(self.following.lag(self.writer.positions), self.writer.positions, time.monotonic())
        return bool(batch.works) or batch.last is not None

    def _settle(self) -> None:
        """Take nothing more in, wait a while for the calls under way, and commit what has come."""
        self._calls.forget_waiting()
        if self.link.session is not None:
            self._guarded(self.link.session, BrokerSession.cancel)
        deadline = time.monotonic() + SETTLE_SECONDS
        while self._turn(deadline - time.monotonic() if self._calls else 0.0) or self._calls:
            if time.monotonic() > deadline:
                return

    # In

    def _patience(self) -> float:
        session, due = self.link.session, self.writer.next_due()
        if session is not None and session.arrived:
            return 0.0
        if due is None:
            return TICK_SECONDS
        if due == AT_ONCE:
            return 0.0
        return min(TICK_SECONDS, (datetime.fromisoformat(due) - self.writer.ports.now()).total_seconds())

    def _is_due(self) -> bool:
        is_idle = time.monotonic() - self._committed_at >= TICK_SECONDS
        return self.writer.is_due() or (is_idle and self.writer.is_ahead and not self.writer.halted)

    def _receive(self, seconds: float) -> None:
        """Wait, at most so long, for messages or a ring, and take in the messages."""
        self.turned_at = time.monotonic()
        session = self._current_session()
        if self._alarm.wait(seconds, session.fileno if session else None) and session:
            self._guarded(session, BrokerSession.drain)
            self._linger(session)

    def _linger(self, session: BrokerSession) -> None:
        """Under load, a moment's rest after a commit makes fewer and larger ones; the slower they get, the longer."""
        left = self._linger_until - time.monotonic()
        if left <= 0 or len(session.arrived) >= ENOUGH:
            return
        time.sleep(left)
        if session is self.link.session and self._alarm.wait(0, session.fileno):
            self._guarded(session, BrokerSession.drain)

    def _current_session(self) -> BrokerSession | None:
        session = self.link.session
        if session is not None and session.failure is not None:
            self.link.lose(session, session.failure)
            session = None
        if session is not self._session:
            self._session = session
            self.following.doubt()
        return session

    def _guarded(self, session: BrokerSession, act: Callable[..., None], *arguments: object) -> None:
        """What fails at the broker ends the session and nothing else."""
        if session is not self.link.session:
            return
        try:
            act(session, *arguments)
        except ERRORS as error:
            self.link.lose(session, error)

    def _collect(self, session: BrokerSession | None) -> InputBatch[Message]:
        batch: InputBatch[Message] = InputBatch(self.writer.heard)
        batch.take_results(self._calls.results())
        if session is not None:
            batch.take_messages(session.arrived, self.following)
        self._metrics.dropped.inc(batch.dropped)
        return batch

    # The commit

    def _commit(self, batch: InputBatch[Message]) -> CommitResult:
        """Offer the batch until the database takes it, as long as nobody else may write."""
        retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, Exception) and is_outage(error)),
            wait=wait_exponential(multiplier=0.05, max=2),
            sleep=self._hold_out,
            before_sleep=self._warn,
        )
        started = time.perf_counter()
        outcome = retrying(self.writer.process, batch.works)
        took = time.perf_counter() - started
        self._committed_at = time.monotonic()
        slow = took * took / QUICK_SECONDS
        linger = min(max(LINGER_SECONDS, slow), LONGEST_LINGER_SECONDS)
        self._linger_until = self._committed_at + max(linger, self.writer.service.rest_seconds)
        self._metrics.seconds.observe(took)
        self._metrics.size.observe(batch.size)
        self._metrics.batches.inc()
        if outcome.published:
            self._metrics.happened.committed(outcome.published.events)
        return outcome

    def _warn(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        logger.warning(
            "database error, trying again",
            service=self.writer.service.name,
            attempt=state.attempt_number,
            error=type(error).__name__,
        )
        self._metrics.retries.inc()

    def _hold_out(self, seconds: float) -> None:
        """Wait without losing the broker. Raises LeadershipLost or Stopped."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self._is_stopping():
                raise Stopped
            self._receive(left)
        self._lead.ping()

    # Out

    def _finish(self, session: BrokerSession | None, batch: InputBatch[Message], outcome: CommitResult) -> None:
        if session is not None:
            for body in slices(outcome.published) if outcome.published else ():
                self._tell(session, body, exchange=self._log)
            if self._shown:
                self._tell(
                    session, ReadModelPosition(self.writer.service.name, self.writer.reached), exchange=self._shown
                )
            for queue, answers in batch.answers(outcome.replies).items():
                self._tell(session, answers, queue=queue)
        for call in outcome.calls:
            self._calls.offer(call)

    def _tell(self, session: BrokerSession, body: Wire, **place: str) -> None:
        self._guarded(session, partial(BrokerSession.publish, body=encode(body), headers=headers(body), **place))

    def _listen_again(self) -> None:
        """Silence means that a log server is gone, or that what it says does not reach our inbox any more."""
        session = self.link.session
        if session is None or session is not self._session or session.arrived:
            return
        if silent := self.following.silent(time.monotonic()):
            logger.warning("binding again to what is silent", service=self.writer.service.name, sources=silent)
            self._guarded(session, BrokerSession.bind, self._inbox)

    def _pull_what_is_missing(self) -> None:
        session = self.link.session
        if session is None or session is not self._session:
            return
        for source, after in self.following.to_pull(self.writer.positions, time.monotonic()):
            self._metrics.pulls.inc()
            body = Pull(source, after, PULL, self._inbox.name, self.writer.hashes.get(source, b""))
            self._tell(session, body, queue=pulls(source).name)
