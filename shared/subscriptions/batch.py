"""Turns received messages into the inputs of one commit, and replies into messages."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeAlias

import structlog

from shared.eventstore.divergence import Divergence
from shared.messages.messages import CommandMessage, EventBatch, Reply
from shared.messages.transport import M, Message
from shared.messages.wire import (
    CommandEnvelope,
    KnownPosition,
    LogHead,
    Malformed,
    MessageBody,
    ReplyEnvelope,
    decode,
)
from shared.subscriptions.tracker import SubscriptionTracker
from shared.writer.inputs import Input

MAX_INPUTS = 2_000
MOST_BYTES = 16 * 1024 * 1024
logger = structlog.get_logger()
Address: TypeAlias = tuple[str, str]


def read(message: Message, heard: Container[str] | None = None) -> MessageBody:
    """Decode a message. With `heard`, only events of these names are decoded. Raises Malformed."""
    body = message.body or b""
    return decode(body, heard, message.headers) if isinstance(body, bytes | str) else body


@dataclass(slots=True)
class InputBatch(Generic[M]):
    """The inputs of one commit. With `heard`, it holds only events of these names.

    `last` is the last message in it; `size` counts commands and events. `heads` are announced log heads, `reports` the
    positions and divergences that readers reported: both are for DivergenceCheck.
    """

    heard: Container[str] | None = None
    inputs: list[Input] = field(default_factory=list)
    last: M | None = None
    size: int = 0
    dropped: int = 0
    heads: list[LogHead] = field(default_factory=list)
    reports: list[KnownPosition | Divergence] = field(default_factory=list)
    _addresses: dict[int, Address] = field(default_factory=dict)
    _bytes: int = 0

    def take_inputs(self, inputs: Iterable[Input]) -> None:
        """Add inputs that come from no message, such as results of external calls."""
        for one in inputs:
            self.inputs.append(one)
            self.size += 1

    def take_messages(self, arrived: deque[M], tracker: SubscriptionTracker) -> None:
        """Take messages in their order, at most MESSAGES commands and events and about MOST_BYTES. What they say of how
        far logs reach goes to `tracker`."""
        while arrived and self.size < MAX_INPUTS and self._bytes < MOST_BYTES:
            self.last = arrived.popleft()
            body = self.last.body
            self._bytes += len(body) if isinstance(body, bytes | str) else 0
            self._take(self.last, tracker)

    def _take(self, message: M, tracker: SubscriptionTracker) -> None:
        try:
            body = read(message, self.heard)
        except Malformed as error:
            self._drop(str(error))
            return
        match body:
            case EventBatch(source=source, last=last) if source in tracker.heads:
                tracker.batch_arrived(source, last)
                self.inputs.append(body)
                self.size += len(body.events)
            case LogHead(source=source, position=position) as head:
                tracker.head_announced(source, position)
                self.heads.append(head)
            case KnownPosition() | Divergence() as report:
                self.reports.append(report)
            case [CommandEnvelope(), *_]:
                for envelope in body:
                    if isinstance(envelope, CommandEnvelope):
                        self._addresses[id(envelope.message)] = (envelope.reply_to, envelope.ticket)
                        self.inputs.append(envelope.message)
                        self.size += 1
            case _:
                self._drop("nothing for a writer")

    def _drop(self, reason: str) -> None:
        self.dropped += 1
        logger.error("message dropped", reason=reason)

    def answers(self, replies: Iterable[tuple[CommandMessage, Reply]]) -> dict[str, list[ReplyEnvelope]]:
        """The replies by the queue to send them to."""
        found: dict[str, list[ReplyEnvelope]] = defaultdict(list)
        for message, reply in replies:
            queue, ticket = self._addresses[id(message)]
            found[queue].append(ReplyEnvelope(ticket, reply))
        return found
