"""The transport inside one process: hands messages over as objects; pulls read the source's database."""

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
from shared.messages.wire import CommandEnvelope, LogHead, MessageBody, Pull, ReadModelPosition, ReplyEnvelope
from shared.subscriptions.log_answers import answers, read_batch

BACKLOG = 20_000
REPLIES = "replies"


@dataclass(frozen=True, slots=True)
class InProcessMessage:
    """A received message; its body is not encoded."""

    body: MessageBody
    headers: Mapping[str, str] = field(default_factory=dict)


class InProcessNetwork:
    """Queues and exchanges, named as at a broker. A message for a queue without receiver is lost."""

    def __init__(self) -> None:
        self._receivers: dict[str, Callable[[MessageBody], None]] = {REPLIES: self._on_replies}
        self._bound: dict[str, list[str]] = defaultdict(list)
        self._logs: dict[str, sa.Engine] = {}
        self._asked: dict[str, Future[Reply]] = {}
        self._tickets = count()

    def attach(self, service: str, sources: tuple[str, ...], reads: sa.Engine) -> InProcessTransport:
        """Make a service's transport, and answer pulls of its log, which `reads` opens, from now on."""
        self._logs[service] = reads
        queue = inbox(service, sources)
        transport = InProcessTransport(self, queue)
        self._receivers[queue.name] = transport.receive
        self._receivers[pulls(service).name] = self._on_pull
        self.bind(queue)
        return transport

    def bind(self, queue: Queue) -> None:
        """Bind a queue to its exchanges."""
        for exchange in queue.bound_to:
            if queue.name not in self._bound[exchange]:
                self._bound[exchange].append(queue.name)

    def watch_read_models(self, reader: str, reached: Callable[[Mapping[str, int]], None]) -> None:
        """Call `reached` with each ReadModelPosition that a service publishes."""
        self._receivers["read models"] = lambda body: (
            reached(body.positions) if isinstance(body, ReadModelPosition) else None
        )
        self._bound[shown_exchange(reader)].append("read models")

    def send(self, queue: str, body: MessageBody) -> None:
        """Hand a body to the receiver of a queue. A pull is answered at once, and raises DBAPIError."""
        if receive := self._receivers.get(queue):
            receive(body)

    def publish(self, exchange: str, body: MessageBody) -> None:
        """Hand a body to every queue that is bound to an exchange."""
        for queue in self._bound[exchange]:
            self.send(queue, body)

    # For callers

    def ask(self, service: str, message: CommandMessage) -> Future[Reply]:
        """Send a command to its service. The future gets the reply after the commit."""
        future: Future[Reply] = Future()
        ticket = str(next(self._tickets))
        self._asked[ticket] = future
        # A copy, since the batch tells messages apart by identity, and one may be sent twice.
        self.send(inbox(service, ()).name, [CommandEnvelope(replace(message), ticket, REPLIES)])
        return future

    def is_waiting(self) -> bool:
        """Whether a caller waits for a reply."""
        return bool(self._asked)

    def pull(self, source: str, after: int, limit: int) -> EventBatch:
        """At most `limit` events of a log behind position `after`; `last == after` when there is none."""
        return read_batch(self._logs[source], source, after, limit)

    def announce(self, source: str) -> None:
        """Announce a log's head to its readers, as its log server does in the cluster."""
        with self._logs[source].connect() as connection:
            head = log.read_head(connection)
        self.publish(log_exchange(source), LogHead(source, head.position, head.hash))

    def _on_replies(self, body: MessageBody) -> None:
        for answer in body if isinstance(body, list) else ():
            if not isinstance(answer, ReplyEnvelope):
                continue
            future = self._asked.pop(answer.ticket, None)
            if future is not None and future.set_running_or_notify_cancel():
                future.set_result(answer.reply)

    def _on_pull(self, body: MessageBody) -> None:
        if isinstance(body, Pull):
            for queue, answer in answers(self._logs[body.source], body):
                self.send(queue, answer)


class InProcessTransport:
    """One service's transport. `wait` returns when a message has arrived, or `wake` was called.

    While BACKLOG messages wait, batches of events are dropped: the reader sees the gap and pulls.
    """

    def __init__(self, network: InProcessNetwork, queue: Queue) -> None:
        self._network, self._queue = network, queue
        self.session: object | None = network
        self.arrived: deque[InProcessMessage] = deque()
        self._rung = threading.Event()

    def receive(self, body: MessageBody) -> None:
        """Add a message. From any thread."""
        if isinstance(body, EventBatch) and len(self.arrived) >= BACKLOG:
            return
        self.arrived.append(InProcessMessage(body))
        self._rung.set()

    def wake(self) -> None:
        """End the current `wait`, or else the next one. From any thread."""
        self._rung.set()

    def wait(self, seconds: float) -> None:
        """Wait for a message, at most `seconds`. From the thread that turns the loop."""
        if not self.arrived and seconds > 0:
            self._rung.wait(seconds)
        self._rung.clear()

    def send(self, queue: str, body: MessageBody) -> None:
        self._network.send(queue, body)

    def publish(self, exchange: str, body: MessageBody) -> None:
        self._network.publish(exchange, body)

    def acknowledge(self, last: InProcessMessage) -> None:
        """Do nothing: this transport delivers a message once."""

    def rebind(self) -> None:
        self._network.bind(self._queue)
