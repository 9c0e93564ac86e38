"""A simulated log server: announces the head of one log, and answers pulls."""

from __future__ import annotations

from shared.eventstore import log
from shared.messages.topology import log_exchange, pulls
from shared.messages.wire import LogHead, Pull, decode
from shared.runtime.simulated.network import NetworkDelivery, SimulatedNetwork
from shared.runtime.simulated.store import SimulatedStore
from shared.runtime.simulated.timeline import Timeline
from shared.subscriptions.log_answers import answers

HEAD_SECONDS, LONGEST_SECONDS = 1.0, 3600.0


class SimulatedLogServer:
    """Announces the head often while the log grows, and less and less often while it does not, so that a virtual day
    passes faster."""

    def __init__(self, service: str, store: SimulatedStore, network: SimulatedNetwork, timeline: Timeline) -> None:
        self._service, self._store, self._network, self._timeline = service, store, network, timeline
        self._pause, self._round = HEAD_SECONDS, 0
        self.restart()

    def restart(self) -> None:
        """Begin again, as a new process does."""
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

    def _on_pull(self, delivery: NetworkDelivery) -> None:
        match decode(delivery.body, beside=delivery.headers):
            case Pull() as pull:
                for queue, body in answers(self._store.reads, pull):
                    self._network.send(queue, body)
            case other:
                raise TypeError(f"{type(other).__name__} is no pull")
