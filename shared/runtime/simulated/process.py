"""One service's writer as a process that may be refused, frozen and killed at any step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import OperationalError

from shared.broker.topology import inbox, log_exchange, pulls
from shared.eventstore import log
from shared.eventstore.engines import is_outage
from shared.messages.wire import Pull, Wire, slices
from shared.runtime.consumer_loop import make_call
from shared.runtime.service import HostContext, Service
from shared.runtime.simulated.faults import Fate
from shared.runtime.simulated.log_server import SimulatedLogServer
from shared.runtime.simulated.luck import Luck
from shared.runtime.simulated.network import NetworkDelivery, SimulatedNetwork
from shared.runtime.simulated.store import Crashed, SimulatedStore
from shared.runtime.simulated.timeline import START, Timeline
from shared.scheduler.scheduler import AT_ONCE, DueCall
from shared.subscriptions.batch import InputBatch
from shared.subscriptions.divergence import HOLD_SECONDS, DivergenceCheck
from shared.subscriptions.tracker import AGAIN_SECONDS, SubscriptionTracker
from shared.writer.external_calls import CallResult, ExternalCalls
from shared.writer.inputs import CommitResult
from shared.writer.writer import Writer

TURN_SECONDS, AGAIN_AFTER_SECONDS, CALL_SECONDS = 0.05, 0.2, 0.05
# A process that was frozen looks at its lock so soon after it goes on, and ends.
NOTICE_SECONDS = 5.0
PULL = 100


@dataclass(frozen=True, slots=True)
class SimulatedMachine:
    """Where processes of one service live."""

    service: Service
    store: SimulatedStore
    log_server: SimulatedLogServer
    network: SimulatedNetwork
    timeline: Timeline
    luck: Luck
    fate: Fate
    readers: tuple[str, ...] = ()


class SimulatedProcess:
    """Turned by the timeline whenever something has arrived or is due, until it is dead.

    `ended(self)` is called when it has died, or was fenced by another writer, and somebody must take its place;
    `replaced()` when it froze, and another one must take over though it is still there.
    """

    def __init__(
        self,
        place: SimulatedMachine,
        surroundings: HostContext,
        ended: Callable[[SimulatedProcess], None],
        replaced: Callable[[], None],
    ) -> None:
        self._place, self._ended, self._replaced = place, ended, replaced
        self.is_alive, self.is_frozen = True, False
        self.writer = Writer(place.service, place.store.writes, surroundings)
        self.following = SubscriptionTracker(place.service.sources())
        self.agreeing = DivergenceCheck(self.writer, self.following, place.readers)
        self._held_until = place.timeline.now()
        self._inbox = inbox(place.service.name, place.service.sources())
        self._calls = ExternalCalls(self._perform, self._wake)
        self._arrived: deque[NetworkDelivery] = deque()
        self._unsettled: list[NetworkDelivery] = []
        self._batch: InputBatch[NetworkDelivery] | None = None
        self._turns_at: datetime | None = None

    def start(self) -> None:
        """Take over the database and the inbox."""
        self._guarded(self._begin)

    def _begin(self) -> None:
        self.writer.start()
        self.following.doubt()
        for exchange in self._inbox.bound_to:
            self._place.network.bind(self._inbox.name, exchange)
        self._place.network.consume(self._inbox.name, self._on_message)
        self._held_until = self._place.timeline.now() + timedelta(seconds=HOLD_SECONDS)
        self._place.network.publish(log_exchange(self._place.service.name), self.agreeing.question())
        self._wake()

    def freeze(self, seconds: float) -> None:
        """Stop for so long, as a process does that is not given the processor; another one takes over meanwhile."""
        self.is_frozen = True
        self._place.timeline.after(seconds, self._thaw)
        self._replaced()

    def _thaw(self) -> None:
        """It goes on as if nothing had been, until it looks at its lock."""
        self.is_frozen, self._turns_at = False, None
        self._place.timeline.after(NOTICE_SECONDS, self._notice)
        self._wake()

    def _notice(self) -> None:
        if self.is_alive:
            self.kill()

    def kill(self) -> None:
        """The process is gone; what it had committed is not."""
        self.is_alive = False
        self._place.store.abandon()
        self._place.network.leave(self._inbox.name, self._on_message, self._unsettled)
        self._ended(self)

    # The crank

    def _on_message(self, delivery: NetworkDelivery) -> None:
        self._arrived.append(delivery)
        self._unsettled.append(delivery)
        self._wake()

    def _wake(self, seconds: float = TURN_SECONDS) -> None:
        at = self._place.timeline.now() + timedelta(seconds=seconds)
        if self._turns_at is None or at < self._turns_at:
            self._turns_at = at
            self._place.timeline.after(seconds, lambda: self._on_time(at))

    def _on_time(self, at: datetime) -> None:
        if at == self._turns_at and self.is_alive and not self.is_frozen:
            self._turns_at = None
            self._guarded(self._turn)

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (Crashed, log.Fenced):
            self.kill()
        except OperationalError as error:
            if not is_outage(error):
                raise
            self.kill()

    def _say(self, told: Iterable[tuple[str, Wire]]) -> None:
        for queue, body in told:
            self._place.network.send(queue, body)

    def _turn(self) -> None:
        if self.agreeing.missing and self._place.timeline.now() < self._held_until:
            self._say(self.agreeing.overhear(self._arrived))
            if self.agreeing.missing:
                self._wake(AGAIN_AFTER_SECONDS)
                return
        if self._batch is None:
            self._batch = InputBatch(self.writer.heard)
            self._batch.take_results(self._calls.results())
            self._batch.take_messages(self._arrived, self.following)
            self._say(self.agreeing.hear(self._batch))
            if self._place.fate.strikes("frozen"):
                self.freeze(self._place.luck.uniform(1, 20))
                return
        if self._batch.works or self._is_due():
            outcome = self._commit(self._batch)
            if outcome is None:
                return
            self._finish(self._batch, outcome)
        self._batch = None
        self._unsettled = list(self._arrived)
        self._pull_what_is_missing()
        self._sleep()

    def _commit(self, batch: InputBatch[NetworkDelivery]) -> CommitResult | None:
        """None when the database failed: the same batch is offered again a little later."""
        try:
            return self.writer.process(batch.works)
        except OperationalError as error:
            if not is_outage(error):
                raise
            self._wake(AGAIN_AFTER_SECONDS)
            return None

    def _finish(self, batch: InputBatch[NetworkDelivery], outcome: CommitResult) -> None:
        self._place.store.step()
        if outcome.published is not None:
            self._place.log_server.grown()
            if not self._place.fate.strikes("mute"):
                for body in slices(outcome.published):
                    self._place.network.publish(log_exchange(self._place.service.name), body)
        for queue, answers in batch.answers(outcome.replies).items():
            self._place.store.step()
            self._place.network.send(queue, answers)
        for call in outcome.calls:
            self._place.store.step()
            self._calls.offer(call)

    def _perform(self, call: DueCall, done: Callable[[CallResult], None]) -> None:
        """The other side hears of it after a while, and the answer takes as long."""
        luck, timeline = self._place.luck, self._place.timeline

        def make() -> None:
            if self.is_alive:
                result = make_call(self.writer, call)
                timeline.after(luck.expovariate(1 / CALL_SECONDS), lambda: done(result))

        timeline.after(luck.expovariate(1 / CALL_SECONDS), make)

    def _pull_what_is_missing(self) -> None:
        now = (self._place.timeline.now() - START).total_seconds()
        for source, after in self.following.to_pull(self.writer.positions, now):
            known = self.writer.hashes.get(source, b"")
            self._place.network.send(pulls(source).name, Pull(source, after, PULL, self._inbox.name, known))

    def is_behind(self) -> bool:
        """Whether it knows of events that it has not applied."""
        return any(self.following.lag(self.writer.positions).values())

    def _is_due(self) -> bool:
        return (self.writer.is_ahead and not self.writer.halted) or self.writer.is_due()

    def _sleep(self) -> None:
        """Be woken when there is something to do, if not by what arrives."""
        if self.writer.halted:
            self._wake(AGAIN_SECONDS)
        if self._arrived or self.is_behind() or (self.writer.is_ahead and not self.writer.halted):
            self._wake(TURN_SECONDS if self._arrived else AGAIN_SECONDS)
        due = self.writer.next_due()
        if due is not None:
            until = 0.0 if due == AT_ONCE else (datetime.fromisoformat(due) - self.writer.ports.now()).total_seconds()
            self._wake(max(TURN_SECONDS, until))
