"""Runs a leading writer: its consumer loop on a connection to the broker, with back-off and metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from shared.eventstore.engines import is_outage
from shared.eventstore.leadership import Leadership, LeadershipLost
from shared.messages.topology import inbox, log_exchange, shown_exchange
from shared.runtime.cluster.alarm import Alarm
from shared.runtime.cluster.metrics import WriterMetrics
from shared.runtime.cluster.transport import RabbitTransport
from shared.runtime.consumer_loop import TICK_SECONDS, ConsumerLoop, Observer
from shared.scheduler.scheduler import back_off
from shared.subscriptions.batch import InputBatch
from shared.writer.external_calls import Perform
from shared.writer.inputs import CommitResult
from shared.writer.writer import Writer

SETTLE_SECONDS = 5.0
QUICK_SECONDS, LINGER_SECONDS, LONGEST_LINGER_SECONDS = 0.005, 0.015, 0.1
LONGEST_BACK_OFF = 2.0
logger = structlog.get_logger()


class Stopped(Exception):
    """The process stops while the database refuses a batch: the batch's messages go back to the broker."""


class Measured(Observer):
    """Measures the loop for Prometheus. After a commit the loop rests until `rest_until`: under load, that makes
    commits fewer and larger. Slower commits make the rest longer."""

    def __init__(self, metrics: WriterMetrics, commit_interval_seconds: float) -> None:
        self._metrics, self._interval = metrics, commit_interval_seconds
        self.rest_until = 0.0

    def collected(self, batch: InputBatch[Any]) -> None:
        self._metrics.dropped.inc(batch.dropped)

    def committed(self, batch: InputBatch[Any], seconds: float, result: CommitResult) -> None:
        slow = seconds * seconds / QUICK_SECONDS
        linger = min(max(LINGER_SECONDS, slow), LONGEST_LINGER_SECONDS)
        self.rest_until = time.monotonic() + max(linger, self._interval)
        self._metrics.seconds.observe(seconds)
        self._metrics.size.observe(batch.size)
        self._metrics.batches.inc()
        if result.published:
            self._metrics.happened.committed(result.published.events)

    def pulled(self) -> None:
        self._metrics.pulls.inc()


class LeaderSession:
    """Turns the consumer loop of a started writer, on one thread.

    `perform` has an external call made on another thread (see ExternalCalls). `run` raises LeadershipLost, or
    log.Fenced, when another writer may lead: then drop the writer and this object.
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
        name = writer.service.name
        exchanges = [log_exchange(name), *([shown_exchange(name)] if writer.service.read_side else [])]
        self.transport = RabbitTransport(amqp_url, inbox(name, writer.service.sources()), exchanges, alarm)
        self._observer = Measured(metrics, writer.service.commit_interval_seconds)
        self.loop = ConsumerLoop(
            writer,
            self.transport,
            perform,
            alarm.ring,
            readers=readers,
            store_after_seconds=TICK_SECONDS,
            observer=self._observer,
        )
        self._lead, self._metrics, self._is_stopping = lead, metrics, is_stopping
        self._failures = 0

    def run(self) -> None:
        """Turn the loop until the process stops; then commit what has arrived."""
        try:
            while not self._is_stopping():
                self._turn(self.loop.patience())
            self._settle()
        except Stopped:
            logger.warning("stopped, with a batch that the database did not take", service=self.writer.service.name)
        finally:
            self.transport.close()

    def _turn(self, seconds: float) -> bool:
        """Wait for messages or due items, and handle them. Returns whether there was anything to do."""
        self._receive(seconds)
        self._lead.check()
        if off := self.writer.clock_off:
            raise LeadershipLost(off)
        try:
            had_work = self.loop.turn()
        except DBAPIError as error:
            if not is_outage(error):
                raise
            self._hold_out(error)
            return True
        self._failures = 0
        return had_work

    def _receive(self, seconds: float) -> None:
        self.turned_at = time.monotonic()
        self.transport.wait(seconds, self._observer.rest_until)

    def _hold_out(self, error: DBAPIError) -> None:
        """The database fails: wait, longer each time, and keep the broker's connection. The loop keeps the batch.

        Raises LeadershipLost or Stopped.
        """
        self._failures += 1
        logger.warning(
            "database error, trying again",
            service=self.writer.service.name,
            attempt=self._failures,
            error=type(error).__name__,
        )
        self._metrics.retries.inc()
        deadline = time.monotonic() + back_off(self._failures, 0.05, LONGEST_BACK_OFF).total_seconds()
        while (left := deadline - time.monotonic()) > 0:
            if self._is_stopping():
                raise Stopped
            self._receive(left)
        self._lead.ping()

    def _settle(self) -> None:
        """Stop consuming, wait a while for the calls under way, and commit what has arrived."""
        self.loop.calls.forget_waiting()
        self.transport.stop_receiving()
        deadline = time.monotonic() + SETTLE_SECONDS
        while self._turn(deadline - time.monotonic() if self.loop.calls else 0.0) or self.loop.calls:
            if time.monotonic() > deadline:
                return
