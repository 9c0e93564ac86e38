"""The transport inside one process: messages are handed over as objects, and pulls read the source's database."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from itertools import count

import sqlalchemy as sa

from shared.eventstore import log
from shared.messages.messages import CommandMessage, EventBatch, Reply
from shared.messages.topology import Queue, inbox, log_exchange, pulls, shown_exchange
from shared.messages.wire import CommandEnvelope, LogHead, Pull, ReadModelPosition, ReplyEnvelope, Wire
from shared.subscriptions.log_answers import answers, read_batch

BACKLOG = 20_000
REPLIES = "replies"


@dataclass(frozen=True, slots=True)
class InProcessMessage:
    """A message as its receiver gets it."""

    body: Wire
    headers: Mapping[str, str] = field(default_factory=dict)


class InProcessNetwork:
    """Queues and exchanges by the names that they have at a broker. What nobody receives is lost."""

    def __init__(self) -> None:
        self._receivers: dict[str, Callable[[Wire], None]] = {REPLIES: self._on_replies}
        self._bound: dict[str, list[str]] = defaultdict(list)
        self._logs: dict[str, sa.Engine] = {}
        self._asked: dict[str, Future[Reply]] = {}
        self._tickets = count()

    def attach(self, service: str, sources: tuple[str, ...], reads: sa.Engine) -> InProcessTransport:
        """A service's transport. Its log, which `reads` opens, is there for all from now on."""
        self._logs[service] = reads
        queue = inbox(service, sources)
        transport = InProcessTransport(self, queue)
        self._receivers[queue.name] = transport.receive
        self._receivers[pulls(service).name] = self._on_pull
        self.bind(queue)
        return transport

    def bind(self, queue: Queue) -> None:
        """Have a queue receive what is published to its exchanges."""
        for exchange in queue.bound_to:
            if queue.name not in self._bound[exchange]:
                self._bound[exchange].append(queue.name)

    def watch_read_models(self, reader: str, reached: Callable[[Mapping[str, int]], None]) -> None:
        """Call `reached` with the positions of a service's read models whenever it tells them."""
        self._receivers["read models"] = lambda body: (
            reached(body.positions) if isinstance(body, ReadModelPosition) else None
        )
        self._bound[shown_exchange(reader)].append("read models")

    def send(self, queue: str, body: Wire) -> None:
        """Hand over to whoever receives from a queue. A pull is answered at once; raises DBAPIError then."""
        if receive := self._receivers.get(queue):
            receive(body)

    def publish(self, exchange: str, body: Wire) -> None:
        """Hand over to all that is bound to an exchange."""
        for queue in self._bound[exchange]:
            self.send(queue, body)

    # For callers

    def ask(self, service: str, message: CommandMessage) -> Future[Reply]:
        """Hand a command to its service. The future ends after the commit that holds its outcome."""
        future: Future[Reply] = Future()
        ticket = str(next(self._tickets))
        self._asked[ticket] = future
        # A message of its own: the same one may be under way twice.
        self.send(inbox(service, ()).name, [CommandEnvelope(replace(message), ticket, REPLIES)])
        return future

    def is_waiting(self) -> bool:
        """Whether a caller has no reply yet."""
        return bool(self._asked)

    def pull(self, source: str, after: int, limit: int) -> EventBatch:
        """The events of a log behind a position, at most `limit`; `last == after` when there is none."""
        return read_batch(self._logs[source], source, after, limit)

    def announce(self, source: str) -> None:
        """Tell the readers of a log how far it reaches, as its log server does in a cluster."""
        with self._logs[source].connect() as connection:
            head = log.read_head(connection)
        self.publish(log_exchange(source), LogHead(source, head.position, head.hash))

    def _on_replies(self, body: Wire) -> None:
        for answer in body if isinstance(body, list) else ():
            if not isinstance(answer, ReplyEnvelope):
                continue
            future = self._asked.pop(answer.ticket, None)
            if future is not None and future.set_running_or_notify_cancel():
                future.set_result(answer.reply)

    def _on_pull(self, body: Wire) -> None:
        if isinstance(body, Pull):
            for queue, answer in answers(self._logs[body.source], body):
                self.send(queue, answer)


class InProcessTransport:
    """One service's part of the network. `wait` returns when something has arrived, or `wake` was called.

    With more than BACKLOG messages waiting, batches of events are left out: the reader sees the gap and pulls.
    """

    def __init__(self, network: InProcessNetwork, queue: Queue) -> None:
        self._network, self._queue = network, queue
        self.session: object | None = network
        self.arrived: deque[InProcessMessage] = deque()
        self._rung = threading.Event()

    def receive(self, body: Wire) -> None:
        """Take a message in. From any thread."""
        if isinstance(body, EventBatch) and len(self.arrived) >= BACKLOG:
            return
        self.arrived.append(InProcessMessage(body))
        self._rung.set()

    def wake(self) -> None:
        """End a wait, or the next one. From any thread."""
        self._rung.set()

    def wait(self, seconds: float) -> None:
        """Wait, at most so long. From the thread that turns the loop."""
        if not self.arrived and seconds > 0:
            self._rung.wait(seconds)
        self._rung.clear()

    def send(self, queue: str, body: Wire) -> None:
        self._network.send(queue, body)

    def publish(self, exchange: str, body: Wire) -> None:
        self._network.publish(exchange, body)

    def acknowledge(self, last: InProcessMessage) -> None:
        """Nothing comes again."""

    def bind_again(self) -> None:
        self._network.bind(self._queue)
