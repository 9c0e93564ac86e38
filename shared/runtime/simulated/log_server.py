"""What a log server does in a cluster: say how far one log reaches, answer pulls."""

from __future__ import annotations

from shared.broker.topology import (
    inbox,
    log_exchange,
    pulls,
    reader_of,
)
from shared.eventstore import log
from shared.eventstore.divergence import ReaderPosition, divergence
from shared.messages.messages import EventBatch
from shared.messages.wire import (
    KnownPosition,
    LogHead,
    Pull,
    decode,
)
from shared.runtime.simulated.network import NetworkDelivery, SimulatedNetwork
from shared.runtime.simulated.store import SimulatedStore
from shared.runtime.simulated.timeline import Timeline

HEAD_SECONDS, LONGEST_SECONDS = 1.0, 3600.0


class SimulatedLogServer:
    """Announces its head often while the log grows, and ever more seldom when it does not: a day passes faster so."""

    def __init__(self, service: str, store: SimulatedStore, network: SimulatedNetwork, timeline: Timeline) -> None:
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
            head = log.read_head(connection)
        self._network.publish(log_exchange(self._service), LogHead(self._service, head.position, head.hash))
        self._pause = min(2 * self._pause, LONGEST_SECONDS)
        self._begin_round()

    def _read(self, after: int, limit: int) -> EventBatch:
        with self._store.reads.connect() as connection:
            before, events = log.read_chained(connection, self._service, after, limit)
        reached = events[-1].hash if events else before
        return EventBatch(self._service, after + 1, after + len(events), events, before, reached)

    def _contradict(self, pull: Pull) -> None:
        reader = reader_of(pull.queue)
        with self._store.reads.connect() as connection:
            found = divergence(connection, reader, self._service, ReaderPosition(pull.after, pull.hash))
        if found is not None:
            self._network.send(pull.queue, found)
            self._network.send(
                inbox(self._service, ()).name, KnownPosition(reader, self._service, pull.after, pull.hash)
            )

    def _on_pull(self, delivery: NetworkDelivery) -> None:
        match decode(delivery.body, beside=delivery.headers):
            case Pull(after=after, limit=limit, queue=queue) as pull:
                part = self._read(after, limit)
                if not part.before or (pull.hash and part.before != pull.hash):
                    self._contradict(pull)
                self._network.send(queue, part)
            case other:
                raise TypeError(f"{type(other).__name__} is no pull")
