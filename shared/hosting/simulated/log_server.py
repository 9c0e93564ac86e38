"""What a log server does in a cluster: say how far one log reaches, answer pulls."""

from __future__ import annotations

from shared.eventlog import log
from shared.hosting.simulated.network import Delivery, Network
from shared.hosting.simulated.store import Store
from shared.hosting.simulated.timeline import Timeline
from shared.messaging.port import Slice
from shared.messaging.topology import log_exchange, pulls
from shared.messaging.wire import Head, Pull, decode, encode

HEAD_SECONDS, LONGEST_SECONDS = 1.0, 3600.0


class LogServer:
    """Announces its head often while the log grows, and ever more seldom when it does not: a day passes faster so."""

    def __init__(self, service: str, store: Store, network: Network, timeline: Timeline) -> None:
        self._service, self._store, self._network, self._timeline = service, store, network, timeline
        self._pause, self._round = HEAD_SECONDS, 0
        self.restart()

    def restart(self) -> None:
        """Begin anew, as a new process does."""
        self._network.consume(pulls(self._service).name, self._on_pull)
        self._begin_round()

    def grown(self) -> None:
        """The log has grown."""
        if self._pause > HEAD_SECONDS:
            self.hurry()

    def hurry(self) -> None:
        """Announce the head soon, and often again."""
        self._pause = HEAD_SECONDS
        self._begin_round()

    def _begin_round(self) -> None:
        self._round += 1
        self._timeline.after(self._pause, lambda round_=self._round: self._announce(round_))

    def _announce(self, round_: int) -> None:
        if round_ != self._round:
            return
        with self._store.reads.connect() as connection:
            head = log.read_head(connection).position
        self._network.publish(log_exchange(self._service), encode(Head(self._service, head)))
        self._pause = min(2 * self._pause, LONGEST_SECONDS)
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
