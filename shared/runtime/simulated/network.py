"""A simulated broker that loses, doubles, delays and reorders messages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from shared.messages.wire import MessageBody, encode, headers
from shared.runtime.simulated.faults import Fate
from shared.runtime.simulated.luck import Luck
from shared.runtime.simulated.timeline import Timeline

QUICK_SECONDS, LATE_SECONDS = 0.001, 3.0
Consume = Callable[["NetworkDelivery"], object]


@dataclass(frozen=True, slots=True)
class NetworkDelivery:
    """A delivered message."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class SimulatedNetwork:
    """Exchanges, queues and their consumers. Messages of a queue without consumer wait for one.

    `carried` is every body that was ever sent, for laws about what must not be sent.
    """

    def __init__(self, timeline: Timeline, luck: Luck, fate: Fate) -> None:
        self._timeline, self._luck, self._fate = timeline, luck, fate
        self._bound: dict[str, list[str]] = defaultdict(list)
        self._consumers: dict[str, Consume] = {}
        self._waiting: dict[str, list[NetworkDelivery]] = defaultdict(list)
        self._cut: set[str] = set()
        self.carried = bytearray()

    def bind(self, queue: str, exchange: str) -> None:
        if queue not in self._bound[exchange]:
            self._bound[exchange].append(queue)

    def consume(self, queue: str, consumer: Consume) -> None:
        """Deliver a queue's waiting and later messages to this consumer, in place of the one before."""
        self._consumers[queue] = consumer
        for delivery in self._waiting.pop(queue, []):
            self._arrive(queue, delivery)

    def leave(self, queue: str, consumer: Consume, unsettled: list[NetworkDelivery]) -> None:
        """Remove a consumer; its unacknowledged messages wait for the next one."""
        if self._consumers.get(queue) == consumer:
            del self._consumers[queue]
            self._waiting[queue] = [*unsettled, *self._waiting[queue]]

    def publish(self, exchange: str, body: MessageBody) -> None:
        for queue in self._bound[exchange]:
            self.send(queue, body)

    def send(self, queue: str, body: MessageBody) -> None:
        delivery = NetworkDelivery(encode(body), headers(body))
        self.carried += delivery.body
        if self._fate.strikes("lost"):
            return
        for _ in range(2 if self._fate.strikes("doubled") else 1):
            seconds = self._luck.expovariate(1 / QUICK_SECONDS)
            if self._fate.strikes("late"):
                seconds += self._luck.expovariate(1 / LATE_SECONDS)
            self._timeline.after(seconds, lambda: self._arrive(queue, delivery))

    def _arrive(self, queue: str, delivery: NetworkDelivery) -> None:
        if queue in self._cut:
            return
        if consumer := self._consumers.get(queue):
            consumer(delivery)
        else:
            self._waiting[queue].append(delivery)

    def wipe(self) -> None:
        """Drop all messages that wait in queues."""
        self._waiting.clear()

    def cut(self, queue: str, seconds: float) -> None:
        """Deliver nothing to a queue for `seconds`."""
        self._cut.add(queue)
        self._timeline.after(seconds, lambda: self._cut.discard(queue))
