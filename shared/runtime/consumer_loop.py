"""The consumer loop of every host: receives messages, commits them in batches, sends events, replies and pulls."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Generic

import structlog

from shared.messages.topology import inbox, log_exchange, pulls, shown_exchange
from shared.messages.transport import M, Transport
from shared.messages.wire import Pull, ReadModelPosition, in_parts
from shared.scheduler.scheduler import DUE_NOW, DueCall
from shared.subscriptions.batch import InputBatch
from shared.subscriptions.divergence import HOLD_SECONDS, DivergenceCheck
from shared.subscriptions.lag import LagTracker
from shared.subscriptions.log_answers import AddressedMessage
from shared.subscriptions.tracker import SubscriptionTracker
from shared.telemetry import tracing
from shared.writer.external_calls import ExternalCalls, Perform
from shared.writer.inputs import CallDone, CallFailed, CommitResult, Input
from shared.writer.writer import Writer, describe

TICK_SECONDS = 0.5
PULL = 1_000
logger = structlog.get_logger()


class Observer:
    """Callbacks from a loop. These do nothing; hosts override them."""

    def collected(self, batch: InputBatch[Any]) -> None:
        """A batch is about to be decided. An error raised here leaves `turn`; the loop keeps the batch."""

    def committed(self, batch: InputBatch[Any], seconds: float, result: CommitResult) -> None:
        """A batch was committed in `seconds`."""

    def pulled(self) -> None:
        """A pull was sent to a source."""


class ConsumerLoop(Generic[M]):
    """Feeds one writer from one transport.

    A host calls `turn` when a message has arrived, an external call has returned, or `patience` seconds are over.
    `perform` has external calls made (see ExternalCalls); `wake` is called, from any thread, when one has returned.
    `monotonic` gives seconds that only go forward. Positions that were applied without a commit are stored when there
    was no commit for `store_after_seconds`. `readers` names the services that read this one's log: nothing is decided
    before they have reported their positions, or were silent for HOLD_SECONDS.
    """

    def __init__(
        self,
        writer: Writer,
        transport: Transport[M],
        perform: Perform,
        wake: Callable[[], object] = lambda: None,
        *,
        readers: Iterable[str] = (),
        monotonic: Callable[[], float] = time.monotonic,
        store_after_seconds: float = 0.0,
        observer: Observer | None = None,
    ) -> None:
        name, sources = writer.service.name, writer.service.sources()
        self.writer, self.transport = writer, transport
        self.tracker, self.lag_tracker = SubscriptionTracker(sources), LagTracker()
        self.divergence = DivergenceCheck(writer, self.tracker, readers)
        self.calls = ExternalCalls(perform, wake)
        self._wake, self._monotonic, self._observer = wake, monotonic, observer or Observer()
        self._inbox, self._log = inbox(name, sources).name, log_exchange(name)
        self._shown = shown_exchange(name) if writer.service.read_side else ""
        self._offered: deque[Input] = deque()
        self._batch: InputBatch[M] | None = None
        self._session: object | None = None
        self._asked_in: object | None = None
        self._hold_until = 0.0
        self._store_after, self._committed_at = store_after_seconds, monotonic()

    def offer(self, given: Input) -> None:
        """Add an input that comes from no message, for the next turn. From any thread."""
        self._offered.append(given)
        self._wake()

    # One turn

    def turn(self) -> bool:
        """Commit what has arrived and what is due as one batch, and send the events and replies. Returns False when
        there was nothing to do.

        Database errors are raised; the batch is kept: call it again.
        """
        self._notice_session()
        if self._is_holding():
            return self._hear_readers()
        self.writer.look_for_room()
        batch = self._batch or self._collect()
        has_inputs = bool(batch.inputs)
        is_due = self._is_due()
        if has_inputs or is_due:
            self._send(batch, self._commit(batch))
        self._batch = None
        if batch.last is not None:
            self.transport.acknowledge(batch.last)
        self._bind_again()
        has_pulled = self._pull_what_is_missing()
        self.lag_tracker.look(self.lag(), self.writer.positions, self._monotonic())
        return has_inputs or is_due or has_pulled or batch.last is not None

    def patience(self) -> float:
        """How many seconds the host may wait for something to arrive before the next turn."""
        if self.divergence.missing:
            return TICK_SECONDS
        due = self.writer.next_due()
        if self._batch is not None or self.transport.arrived or self._offered or due == DUE_NOW:
            return 0.0
        if due is None:
            return TICK_SECONDS
        return min(TICK_SECONDS, max(0.0, (datetime.fromisoformat(due) - self.writer.clock.now()).total_seconds()))

    # Readers, before the first batch

    def _notice_session(self) -> None:
        if self.transport.session is not self._session:
            self._session = self.transport.session
            self.tracker.pull_all_once()

    def _is_holding(self) -> bool:
        if not self.divergence.missing:
            return False
        if self._session is None or self._asked_in is not self._session or self._monotonic() <= self._hold_until:
            return True
        # In a new cluster all services start at once; a reader that has read more reports it later.
        log_line = logger.warning if self.writer.head.position else logger.info
        log_line("readers are silent", service=self.writer.service.name, of=sorted(self.divergence.missing))
        self.divergence.missing.clear()
        return False

    def _hear_readers(self) -> bool:
        if self._session is None:
            return False
        has_asked = self._asked_in is not self._session
        if has_asked:
            self._asked_in, self._hold_until = self._session, self._monotonic() + HOLD_SECONDS
            self.transport.publish(self._log, self.divergence.question())
        heard = self.divergence.read_early(self.transport.arrived)
        self._send_all(heard)
        return has_asked or bool(heard) or not self.divergence.missing

    # In

    def _collect(self) -> InputBatch[M]:
        batch: InputBatch[M] = InputBatch(self.writer.heard)
        batch.take_inputs(self._offered.popleft() for _ in range(len(self._offered)))
        batch.take_inputs(self.calls.results())
        batch.take_messages(self.transport.arrived, self.tracker)
        self._batch = batch
        self._send_all(self.divergence.handle_reports(batch))
        self._observer.collected(batch)
        return batch

    def _is_due(self) -> bool:
        is_idle = self._monotonic() - self._committed_at >= self._store_after
        return self.writer.is_due() or (is_idle and self.writer.is_ahead and not self.writer.halted)

    def _commit(self, batch: InputBatch[M]) -> CommitResult:
        began = self._monotonic()
        result = self.writer.process(batch.inputs)
        self._committed_at = self._monotonic()
        self._observer.committed(batch, self._committed_at - began, result)
        return result

    # Out

    def _send(self, batch: InputBatch[M], result: CommitResult) -> None:
        for body in in_parts(result.published) if result.published else ():
            self.transport.publish(self._log, body)
        if self._shown:
            self.transport.publish(self._shown, ReadModelPosition(self.writer.service.name, self.writer.reached))
        for queue, answers in batch.answers(result.replies).items():
            self.transport.send(queue, answers)
        for call in result.calls:
            self.calls.offer(call)

    def _send_all(self, messages: Iterable[AddressedMessage]) -> None:
        for queue, body in messages:
            self.transport.send(queue, body)

    def _bind_again(self) -> None:
        """Bind the inbox again when a source is silent: its log server is gone, or the inbox has lost its binding."""
        if self._session is None or self.transport.session is not self._session or self.transport.arrived:
            return
        if silent := self.tracker.find_silent(self._monotonic()):
            logger.warning("binding again to what is silent", service=self.writer.service.name, sources=silent)
            self.transport.rebind()

    def _pull_what_is_missing(self) -> bool:
        if self._session is None or self.transport.session is not self._session:
            return False
        has_pulled = False
        for source, after in self.tracker.due_pulls(self.writer.positions, self._monotonic()):
            self._observer.pulled()
            known = self.writer.hashes.get(source, b"")
            self.transport.send(pulls(source).name, Pull(source, after, PULL, self._inbox, known))
            has_pulled = True
        return has_pulled

    # For operators

    def lag(self) -> dict[str, int]:
        """By source, how many known events are not applied; negative when the log ends before the applied position."""
        return self.tracker.lag(self.writer.positions)

    def is_idle(self) -> bool:
        """Whether no message waits, no item is due, no call is under way, and every position is stored."""
        return not (
            self._batch is not None
            or self.divergence.missing
            or self.transport.arrived
            or self._offered
            or self.calls
            or self.writer.is_due()
            or self.writer.is_ahead
        )


def make_call(writer: Writer, call: DueCall) -> CallDone | CallFailed:
    """Make one external call and return its result."""
    with tracing.calling(writer.service.name, call) as traced:
        try:
            result = writer.service.effects[call.effect].run(call.payload, call.attempt, writer.adapters)
            writer.stream_of(result)
            return CallDone(traced, result)
        except Exception as error:  # noqa: BLE001 - every error must come back as a result
            reason = describe(error)
            tracing.call_failed(reason)
            return CallFailed(traced, reason)
