"""What a log server does in a cluster: publish slices of one log, say how far it reaches, answer pulls."""

from __future__ import annotations

from shared.eventlog import log
from shared.hosting.simulated.network import Delivery, Network
from shared.hosting.simulated.store import Store
from shared.hosting.simulated.timeline import Timeline
from shared.messaging.port import Slice
from shared.messaging.topology import log_exchange, pulls
from shared.messaging.wire import Head, Pull, decode, encode

SOON_SECONDS, HEAD_SECONDS, LONGEST_SECONDS = 0.02, 1.0, 3600.0
PAGE = 100


class LogServer:
    """Announces its head often while the log grows, and ever more seldom when it does not: a day passes faster so."""

    def __init__(self, service: str, store: Store, network: Network, timeline: Timeline) -> None:
        self._service, self._store, self._network, self._timeline = service, store, network, timeline
        self._pause, self._round, self._told = HEAD_SECONDS, 0, False
        self.restart()

    def restart(self) -> None:
        """Begin at the head, as a new process does: what is older is left to pulls."""
        self._published = self._head()
        self._network.consume(pulls(self._service).name, self._on_pull)
        self._begin_round()

    def notify(self) -> None:
        """The log may have grown."""
        if not self._told:
            self._told = True
            self._timeline.after(SOON_SECONDS, self._publish)

    def _head(self) -> int:
        with self._store.reads.connect() as connection:
            return log.read_head(connection).position

    def _publish(self) -> None:
        self._told = False
        while self._published < self._head():
            part = self._read(self._published, PAGE)
            self._network.publish(log_exchange(self._service), encode(part))
            self._published = part.last
            self._pause = HEAD_SECONDS

    def _begin_round(self) -> None:
        self._round += 1
        self._timeline.after(self._pause, lambda round_=self._round: self._announce(round_))

    def _announce(self, round_: int) -> None:
        if round_ != self._round:
            return
        self._publish()
        self._network.publish(log_exchange(self._service), encode(Head(self._service, self._published)))
        self._pause = min(2 * self._pause, LONGEST_SECONDS)
        self._begin_round()

    def hurry(self) -> None:
        """Announce the head now, and often again."""
        self._pause = HEAD_SECONDS
        self._begin_round()

    def _read(self, after: int, limit: int) -> Slice:
        with self._store.reads.connect() as connection:
            events = log.read(connection, self._service, after, limit)
        return Slice(self._service, after + 1, after + len(events), events)

    def _on_pull(self, delivery: Delivery) -> None:
        match decode(delivery.body):
            case Pull(after=after, limit=limit, queue=queue):
                self._network.send(queue, encode(self._read(after, limit)))
            case other:
                raise TypeError(f"{type(other).__name__} is no pull")
