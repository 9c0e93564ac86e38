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
    ReplyEnvelope,
    Wire,
    decode,
)
from shared.subscriptions.tracker import SubscriptionTracker
from shared.writer.inputs import Input

MESSAGES = 2_000
MOST_BYTES = 16 * 1024 * 1024
logger = structlog.get_logger()
Address: TypeAlias = tuple[str, str]


def read(message: Message, heard: Container[str] | None = None) -> Wire:
    """What a message says, with those events only whose names are `heard`, if that is given. Raises Malformed."""
    body = message.body or b""
    return decode(body, heard, message.headers) if isinstance(body, bytes | str) else body


@dataclass(slots=True)
class InputBatch(Generic[M]):
    """Work for one commit, with those events of slices only whose names are `heard`, if that is given.

    `last` is the last message that it holds; `size` counts commands and events. `heads` and `said` are what logs and
    their readers told of how far they are: for `Agreeing`.
    """

    heard: Container[str] | None = None
    inputs: list[Input] = field(default_factory=list)
    last: M | None = None
    size: int = 0
    dropped: int = 0
    heads: list[LogHead] = field(default_factory=list)
    said: list[KnownPosition | Divergence] = field(default_factory=list)
    _addresses: dict[int, Address] = field(default_factory=dict)
    _bytes: int = 0

    def take_inputs(self, inputs: Iterable[Input]) -> None:
        """Results of calls to the outside world, and whatever else comes from no message."""
        for one in inputs:
            self.inputs.append(one)
            self.size += 1

    def take_messages(self, arrived: deque[M], tracker: SubscriptionTracker) -> None:
        """Messages as they came, until there is enough (in number or bytes) for one commit; heads go to `tracker`."""
        while arrived and self.size < MESSAGES and self._bytes < MOST_BYTES:
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
                tracker.heard(source, last)
                self.inputs.append(body)
                self.size += len(body.events)
            case LogHead(source=source, position=position) as head:
                tracker.announced(source, position)
                self.heads.append(head)
            case KnownPosition() | Divergence() as said:
                self.said.append(said)
            case [CommandEnvelope(), *_]:
                for asked in body:
                    if isinstance(asked, CommandEnvelope):
                        self._addresses[id(asked.message)] = (asked.reply_to, asked.ticket)
                        self.inputs.append(asked.message)
                        self.size += 1
            case _:
                self._drop("nothing for a writer")

    def _drop(self, reason: str) -> None:
        self.dropped += 1
        logger.error("message dropped", reason=reason)

    def answers(self, replies: Iterable[tuple[CommandMessage, Reply]]) -> dict[str, list[ReplyEnvelope]]:
        """The replies for each queue that wants some."""
        found: dict[str, list[ReplyEnvelope]] = defaultdict(list)
        for message, reply in replies:
            queue, ticket = self._addresses[id(message)]
            found[queue].append(ReplyEnvelope(ticket, reply))
        return found
