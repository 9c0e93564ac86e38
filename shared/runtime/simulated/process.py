"""A simulated writer process, which may be refused, frozen or killed at any step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import OperationalError

from shared.eventstore import log
from shared.eventstore.engines import is_outage
from shared.messages.messages import EventBatch
from shared.messages.topology import inbox, log_exchange
from shared.messages.wire import MessageBody
from shared.runtime.consumer_loop import ConsumerLoop, Observer, make_call
from shared.runtime.service import HostContext, Service
from shared.runtime.simulated.faults import Fate
from shared.runtime.simulated.log_server import SimulatedLogServer
from shared.runtime.simulated.luck import Luck
from shared.runtime.simulated.network import NetworkDelivery, SimulatedNetwork
from shared.runtime.simulated.store import Crashed, SimulatedStore
from shared.runtime.simulated.timeline import START, Timeline
from shared.scheduler.scheduler import DUE_NOW, DueCall
from shared.subscriptions.batch import InputBatch
from shared.subscriptions.tracker import AGAIN_SECONDS
from shared.writer.external_calls import CallResult
from shared.writer.writer import Writer

TURN_SECONDS, AGAIN_AFTER_SECONDS, CALL_SECONDS = 0.05, 0.2, 0.05
# How soon a process that was frozen notices that it has lost its lock, and ends.
NOTICE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class SimulatedMachine:
    """What the processes of one service share: store, log server, network, luck."""

    service: Service
    store: SimulatedStore
    log_server: SimulatedLogServer
    network: SimulatedNetwork
    timeline: Timeline
    luck: Luck
    fate: Fate
    readers: tuple[str, ...] = ()


class SimulatedTransport:
    """One process's transport. The process may die at each message that it sends."""

    def __init__(self, machine: SimulatedMachine, wake: Callable[[], object]) -> None:
        service = machine.service
        self._machine, self._wake = machine, wake
        self._inbox, self._log = inbox(service.name, service.sources()), log_exchange(service.name)
        self.session: object | None = None
        self.arrived: deque[NetworkDelivery] = deque()
        self._unsettled: list[NetworkDelivery] = []

    def open(self) -> None:
        """Become the consumer of the inbox."""
        self.session = self
        self.rebind()
        self._machine.network.consume(self._inbox.name, self._receive)

    def leave(self) -> None:
        """Leave the inbox; unacknowledged messages go to the next process."""
        self._machine.network.leave(self._inbox.name, self._receive, self._unsettled)

    def _receive(self, delivery: NetworkDelivery) -> None:
        self.arrived.append(delivery)
        self._unsettled.append(delivery)
        self._wake()

    def send(self, queue: str, body: MessageBody) -> None:
        self._machine.store.step()
        self._machine.network.send(queue, body)

    def publish(self, exchange: str, body: MessageBody) -> None:
        self._machine.store.step()
        if isinstance(body, EventBatch):
            self._machine.log_server.grown()
            if self._machine.fate.strikes("mute"):
                return
        self._machine.network.publish(exchange, body)

    def acknowledge(self, last: NetworkDelivery) -> None:
        self._unsettled = list(self.arrived)

    def rebind(self) -> None:
        for exchange in self._inbox.bound_to:
            self._machine.network.bind(self._inbox.name, exchange)


class Frozen(BaseException):
    """The process gets no processor time for now."""


class Freezing(Observer):
    """Sometimes freezes the process between receiving a batch and deciding it."""

    def __init__(self, fate: Fate) -> None:
        self._fate = fate

    def collected(self, batch: InputBatch[Any]) -> None:
        if self._fate.strikes("frozen"):
            raise Frozen


class SimulatedProcess:
    """The timeline turns its loop when a message has arrived or an item is due, until the process dies.

    `ended(self)` is called when it has died, or another writer has fenced it, so that another process must start;
    `replaced()` when it froze, so that another process must take over while this one still exists.
    """

    def __init__(
        self,
        machine: SimulatedMachine,
        context: HostContext,
        ended: Callable[[SimulatedProcess], None],
        replaced: Callable[[], None],
    ) -> None:
        self._machine, self._ended, self._replaced = machine, ended, replaced
        self.is_alive, self.is_frozen = True, False
        self.writer = Writer(machine.service, machine.store.writes, context)
        self._transport = SimulatedTransport(machine, self._wake)
        self._loop = ConsumerLoop(
            self.writer,
            self._transport,
            self._perform,
            self._wake,
            readers=machine.readers,
            monotonic=lambda: (machine.timeline.now() - START).total_seconds(),
            observer=Freezing(machine.fate),
        )
        self._turns_at: datetime | None = None

    def start(self) -> None:
        """Start the writer on the database, and consume the inbox."""
        self._guarded(self._begin)

    def _begin(self) -> None:
        self.writer.start()
        self._transport.open()
        self._wake()

    def freeze(self, seconds: float) -> None:
        """Do nothing for `seconds`, as a process without processor time; another one takes over meanwhile."""
        self.is_frozen = True
        self._machine.timeline.after(seconds, self._thaw)
        self._replaced()

    def _thaw(self) -> None:
        """Go on as if nothing had happened, until the process notices that it has lost its lock."""
        self.is_frozen, self._turns_at = False, None
        self._machine.timeline.after(NOTICE_SECONDS, self._notice)
        self._wake()

    def _notice(self) -> None:
        if self.is_alive:
            self.kill()

    def kill(self) -> None:
        """End the process at once; its commits stay."""
        self.is_alive = False
        self._machine.store.abandon()
        self._transport.leave()
        self._ended(self)

    def _wake(self, seconds: float = TURN_SECONDS) -> None:
        at = self._machine.timeline.now() + timedelta(seconds=seconds)
        if self._turns_at is None or at < self._turns_at:
            self._turns_at = at
            self._machine.timeline.after(seconds, lambda: self._on_time(at))

    def _on_time(self, at: datetime) -> None:
        if at == self._turns_at and self.is_alive and not self.is_frozen:
            self._turns_at = None
            self._guarded(self._turn)

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Frozen:
            self.freeze(self._machine.luck.uniform(1, 20))
        except (Crashed, log.Fenced):
            self.kill()
        except OperationalError as error:
            if not is_outage(error):
                raise
            self.kill()

    def _turn(self) -> None:
        try:
            self._loop.turn()
        except OperationalError as error:
            if not is_outage(error):
                raise
            self._wake(AGAIN_AFTER_SECONDS)
            return
        self._sleep()

    def _perform(self, call: DueCall, done: Callable[[CallResult], None]) -> None:
        """Make the call after a delay; its result takes as long to come back."""
        luck, timeline = self._machine.luck, self._machine.timeline
        self._machine.store.step()

        def make() -> None:
            if self.is_alive:
                result = make_call(self.writer, call)
                timeline.after(luck.expovariate(1 / CALL_SECONDS), lambda: done(result))

        timeline.after(luck.expovariate(1 / CALL_SECONDS), make)

    def is_behind(self) -> bool:
        """Whether the process knows of events that it has not applied."""
        return any(self._loop.lag().values())

    def _sleep(self) -> None:
        """Schedule the next turn for when an item is due."""
        if self._loop.divergence.missing:
            self._wake(AGAIN_AFTER_SECONDS)
            return
        if self.writer.halted or self.is_behind():
            self._wake(AGAIN_SECONDS)
        if self._transport.arrived or (self.writer.is_ahead and not self.writer.halted):
            self._wake(TURN_SECONDS)
        due = self.writer.next_due()
        if due is not None:
            until = 0.0 if due == DUE_NOW else (datetime.fromisoformat(due) - self.writer.clock.now()).total_seconds()
            self._wake(max(TURN_SECONDS, until))
