"""A simulated client: sends commands and receives replies, as an HTTP server does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.messages.messages import CommandMessage, Reply
from shared.messages.topology import inbox, replies
from shared.messages.wire import CommandEnvelope, ReplyEnvelope, decode
from shared.runtime.simulated.network import NetworkDelivery, SimulatedNetwork
from shared.runtime.simulated.timeline import Timeline

AGAIN_SECONDS = 2.0
Done = Callable[[Reply | None], None]


@dataclass(frozen=True, slots=True)
class Request:
    service: str
    message: CommandMessage
    done: Done


class SimulatedClient:
    """Sends a command again while it has no reply. At the deadline, its outcome is unknown."""

    def __init__(self, network: SimulatedNetwork, timeline: Timeline) -> None:
        self._network, self._timeline = network, timeline
        self._queue = replies("simulated").name
        self._waiting: dict[str, Request] = {}
        self._sent = 0
        network.consume(self._queue, self._on_reply)

    def send(self, service: str, message: CommandMessage, done: Done, deadline_seconds: float) -> None:
        self._sent += 1
        ticket = str(self._sent)
        self._waiting[ticket] = Request(service, message, done)
        self._try(ticket)
        self._timeline.after(deadline_seconds, lambda: self._give_up(ticket))

    def _try(self, ticket: str) -> None:
        request = self._waiting.get(ticket)
        if request is None:
            return
        self._network.send(inbox(request.service, ()).name, [CommandEnvelope(request.message, ticket, self._queue)])
        self._timeline.after(AGAIN_SECONDS, lambda: self._try(ticket))

    def _give_up(self, ticket: str) -> None:
        if request := self._waiting.pop(ticket, None):
            request.done(None)

    def _on_reply(self, delivery: NetworkDelivery) -> None:
        match decode(delivery.body):
            case [ReplyEnvelope(), *_] as answers:
                for answered in answers:
                    if isinstance(answered, ReplyEnvelope) and (request := self._waiting.pop(answered.ticket, None)):
                        request.done(answered.reply)
            case other:
                raise TypeError(f"{type(other).__name__} is no reply")
