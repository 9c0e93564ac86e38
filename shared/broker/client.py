"""Sends commands and pulls to services over the broker and receives the replies, for callers on any thread."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from itertools import count
from math import inf
from threading import Event, Lock, Thread
from typing import Any, Self
from uuid import uuid4

import structlog
from pika.adapters.select_connection import IOLoop

from shared.broker.amqp import keep_connected, parameters
from shared.broker.connection import ClientConnection
from shared.broker.requests import CommandRequest, PullRequest, Request
from shared.messages.messages import (
    CommandMessage,
    EventBatch,
    NobodyDecides,
    Reply,
)
from shared.messages.topology import inbox, pulls, replies
from shared.messages.wire import (
    MAX_BYTES,
    CommandEnvelope,
    Malformed,
    Pull,
    ReadModelPosition,
    ReplyEnvelope,
    decode,
    encode,
)

MAX_COMMANDS = 100
TICK_SECONDS = 0.1
NOT_THERE_SECONDS = 0.2
LOOK_SECONDS = 0.3
CLOSE_SECONDS = 2.0


class BrokerBusy(RuntimeError):
    """Too many requests wait for replies: this one was not sent."""


class BrokerClient:
    """Use it as a context manager, or call `start` and `close`.

    A request without a reply is sent again: when the connection was lost, when no queue was there, after some seconds.
    That is safe, since a command with the same id gets the same reply. `messages` and `commands` count what was sent,
    repetitions included; `late` counts replies that came after their deadline.
    """

    def __init__(
        self,
        name: str,
        amqp_url: str,
        *,
        deadline_seconds: float = 10.0,
        patience_seconds: float = inf,
        most_waiting: int = 10_000,
        reader: str = "",
        on_shown: Callable[[Mapping[str, int]], object] = lambda positions: None,
    ) -> None:
        """`name` is the connection's name at the broker. `most_waiting` limits the requests without a reply.

        A command waits `deadline_seconds` for its reply while its service's inbox has a consumer, and at most
        `patience_seconds` while it has none. `on_shown` is called, on the loop's thread, with each ReadModelPosition of
        `reader`.
        """
        self.messages, self.commands, self.late = 0, 0, 0
        self._name, self._most_waiting = name, most_waiting
        self._deadline, self._patience = deadline_seconds, patience_seconds
        self._reader, self._on_shown = reader, on_shown
        self._parameters = parameters(amqp_url, name)
        self._log = structlog.get_logger().bind(client=name)
        self._tickets = count(1)
        self._lock = Lock()
        self._arrived: list[Request] = []
        self._taken, self._closed = 0, False
        self._closing = Event()
        self._loop = IOLoop()
        self._thread = Thread(target=self._run, name=f"broker client {name}", daemon=True)
        # Only the loop's thread uses what follows.
        self._waiting: dict[str, Request] = {}
        self._unsent: dict[str, Request] = {}
        self._look_at: dict[str, float] = {}
        self._connection: ClientConnection | None = None
        self._ticking = False

    # For callers, on any thread

    @property
    def connected(self) -> bool:
        return (connection := self._connection) is not None and connection.can_send

    @property
    def waiting(self) -> int:
        """How many commands and pulls wait for a reply."""
        return self._taken

    def start(self) -> None:
        """Connect in the background. Commands may be sent at once."""
        self._thread.start()

    def close(self) -> None:
        """Close the connection. Requests without a reply get a TimeoutError: their outcome is unknown."""
        with self._lock:
            self._closed = True
        self._closing.set()
        self._loop.add_callback_threadsafe(self._shut)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, service: str, message: CommandMessage) -> Future[Reply]:
        """Send a command to the writer of `service`; the future gets the reply.

        Or the future gets BrokerBusy (the command was not sent), TimeoutError after the deadline, or NobodyDecides
        before it: the outcome is then unknown, and sending the same command again finds it. Raises RuntimeError after
        `close`.
        """
        patient_until = time.monotonic() + self._patience
        return self._take(
            CommandRequest(
                ticket=str(next(self._tickets)),
                to=service,
                until=self._until(),
                patient_until=patient_until,
                message=message,
            )
        )

    def pull(self, source: str, after: int, limit: int) -> EventBatch:
        """At most `limit` events of a log behind position `after`; an empty batch has `last == after`.

        Raises BrokerBusy or TimeoutError.
        """
        request = PullRequest(ticket=str(next(self._tickets)), to=source, until=self._until(), after=after, limit=limit)
        return self._take(request).result()

    def _until(self) -> float:
        return time.monotonic() + self._deadline

    def _take(self, request: Request) -> Future[Any]:
        with self._lock:
            if self._closed:
                raise RuntimeError("the client is closed")
            if self._taken >= self._most_waiting:
                request.future.set_exception(BrokerBusy(f"{self._taken} requests wait for replies"))
                return request.future
            self._taken += 1
            self._arrived.append(request)
            alone = len(self._arrived) == 1
        if alone:
            self._loop.add_callback_threadsafe(self._turn)
        return request.future

    # On the loop's thread: the connection

    def _run(self) -> None:
        keep_connected(self._session, self._closing, self._log, self._idle)
        self._turn()
        for request in list(self._waiting.values()):
            self._fail(request, TimeoutError("closed before a reply came: the outcome is unknown"))

    def _session(self) -> None:
        queue = replies(f"{self._name}.{uuid4().hex}", self._reader)
        self._connection = ClientConnection(
            self._loop, self._parameters, queue, ready=self._on_ready, heard=self._on_body, returned=self._on_return
        )
        try:
            self._connection.run()
        finally:
            self._connection = None
            self._look_at.clear()

    def _idle(self, seconds: float) -> None:
        """Pause between connections, while the deadlines go on."""
        over = Event()

        def end() -> None:
            over.set()
            self._loop.stop()

        self._loop.call_later(seconds, end)
        while not over.is_set() and not self._closing.is_set():
            self._loop.start()

    def _shut(self) -> None:
        if self._connection is None:
            self._loop.stop()
        else:
            self._connection.close()
            self._loop.call_later(CLOSE_SECONDS, self._connection.abandon)

    # On the loop's thread: what goes out

    def _turn(self) -> None:
        with self._lock:
            arrived, self._arrived = self._arrived, []
        new = {request.ticket: request for request in arrived}
        self._waiting |= new
        self._unsent |= new
        self._flush()
        if self._waiting and not self._ticking:
            self._ticking = True
            self._loop.call_later(TICK_SECONDS, self._tick)

    def _on_ready(self) -> None:
        self._unsent = dict(self._waiting)
        self._flush()

    def _flush(self) -> None:
        connection = self._connection
        if connection is None or not connection.can_send or not self._unsent:
            return
        unsent, self._unsent = self._unsent.values(), {}
        commands: defaultdict[str, list[CommandRequest]] = defaultdict(list)
        now = time.monotonic()
        for request in unsent:
            request.sent = now
            match request:
                case CommandRequest():
                    commands[request.to].append(request)
                case PullRequest():
                    body = encode(Pull(request.to, request.after, request.limit, connection.queue.name))
                    connection.publish(
                        pulls(request.to).name, body, mandatory=False, lasting_seconds=request.again_seconds
                    )
        for service, waiting in commands.items():
            for start in range(0, len(waiting), MAX_COMMANDS):
                self._publish(connection, service, waiting[start : start + MAX_COMMANDS])

    def _publish(self, connection: ClientConnection, service: str, commands: Sequence[CommandRequest]) -> None:
        for part, body in self._bodies(connection.queue.name, commands):
            connection.publish(inbox(service, ()).name, body, mandatory=True, lasting_seconds=self._deadline)
            self.messages, self.commands = self.messages + 1, self.commands + part

    def _bodies(self, reply_to: str, commands: Sequence[CommandRequest]) -> Iterator[tuple[int, bytes]]:
        """The commands as message bodies of limited size, each with the number of its commands."""
        try:
            body = encode([CommandEnvelope(one.message, one.ticket, reply_to) for one in commands])
            if len(body) <= MAX_BYTES or len(commands) == 1:
                yield len(commands), body
                return
        except ValueError as error:
            if len(commands) == 1:
                self._fail(commands[0], error)
                return
        middle = len(commands) // 2
        yield from self._bodies(reply_to, commands[:middle])
        yield from self._bodies(reply_to, commands[middle:])

    def _again(self, requests: Iterable[Request]) -> None:
        self._unsent |= {request.ticket: request for request in requests if request.ticket in self._waiting}
        self._flush()

    def _tick(self) -> None:
        now = time.monotonic()
        for request in list(self._waiting.values()):
            if request.until > now:
                break
            self._fail(request, TimeoutError(f"no reply from {request.to} in time: the outcome is unknown"))
        self._again(request for request in self._waiting.values() if request.is_stale(now))
        for service in {request.to for request in self._waiting.values() if request.is_overdue(now)}:
            self._look_for(service, now)
        self._ticking = bool(self._waiting)
        if self._ticking:
            self._loop.call_later(TICK_SECONDS, self._tick)

    def _look_for(self, service: str, now: float) -> None:
        """Ask the broker whether a service's inbox has a consumer: one question at a time and not too often."""
        if self._connection is not None and self._connection.can_send and now >= self._look_at.get(service, 0.0):
            self._look_at[service] = inf
            self._connection.count_consumers(inbox(service, ()).name, lambda found: self._on_consumers(service, found))

    # On the loop's thread: what comes back

    def _on_consumers(self, service: str, found: int) -> None:
        now = time.monotonic()
        self._look_at[service] = now + LOOK_SECONDS
        if found:
            return
        for request in [one for one in self._waiting.values() if one.to == service and one.is_overdue(now)]:
            self._fail(request, NobodyDecides(f"nobody decides for {service} now"))

    def _on_body(self, body: bytes, beside: Mapping[str, Any]) -> None:
        try:
            match decode(body, beside=beside):
                case EventBatch() as part:
                    self._on_batch(part)
                case [ReplyEnvelope(), *_] as answers:
                    for answered in answers:
                        self._on_answer(answered)
                case ReadModelPosition(positions=positions):
                    self._on_shown(positions)
                case other:
                    self._log.warning("not a reply", kind=type(other).__name__)
        except Malformed as error:
            self._log.warning("dropped a message", error=str(error))

    def _on_answer(self, answered: ReplyEnvelope) -> None:
        request = self._waiting.get(answered.ticket)
        if isinstance(request, CommandRequest):
            self._finish(request, answered.reply)
        else:
            self.late += 1

    def _on_batch(self, part: EventBatch) -> None:
        asked = [one for one in self._waiting.values() if isinstance(one, PullRequest)]
        for pull in asked:
            if (pull.to, pull.after + 1) == (part.source, part.first):
                events = part.events[: pull.limit]
                self._finish(pull, EventBatch(part.source, part.first, pull.after + len(events), events, part.before))

    def _on_return(self, body: bytes) -> None:
        """The queue does not exist yet: send the requests again a little later."""
        tickets = [asked.ticket for asked in _asked(body)]
        found = [self._waiting[ticket] for ticket in tickets if ticket in self._waiting]
        self._loop.call_later(NOT_THERE_SECONDS, lambda: self._again(found))

    def _finish(self, request: Request, result: Reply | EventBatch) -> None:
        self._forget(request)
        if request.future.set_running_or_notify_cancel():
            request.future.set_result(result)

    def _fail(self, request: Request, error: Exception) -> None:
        self._forget(request)
        if request.future.set_running_or_notify_cancel():
            request.future.set_exception(error)

    def _forget(self, request: Request) -> None:
        del self._waiting[request.ticket]
        self._unsent.pop(request.ticket, None)
        with self._lock:
            self._taken -= 1


def _asked(body: bytes) -> list[CommandEnvelope]:
    match decode(body):
        case [CommandEnvelope(), *_] as asked:
            return [one for one in asked if isinstance(one, CommandEnvelope)]
    return []
