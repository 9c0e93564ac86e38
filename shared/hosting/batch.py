"""What has arrived, made into work for one commit, and what is to be said once it is durable."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeAlias, TypeVar

import structlog

from shared.hosting.following import Following
from shared.hosting.work import CallDone, CallFailed, Work
from shared.messaging.port import CommandMessage, Reply, Slice
from shared.messaging.wire import Answered, Asked, Head, Malformed, decode

MESSAGES = 2_000
logger = structlog.get_logger()
Address: TypeAlias = tuple[str, str]


class Message(Protocol):
    """What a broker hands over."""

    @property
    def body(self) -> bytes | str | None: ...


M = TypeVar("M", bound=Message)


@dataclass(slots=True)
class Batch(Generic[M]):
    """Work for one commit, with those events of slices only whose names are `heard`, if that is given.

    `last` is the last message that it holds; `size` counts commands and events.
    """

    heard: Container[str] | None = None
    works: list[Work] = field(default_factory=list)
    last: M | None = None
    size: int = 0
    dropped: int = 0
    _addresses: dict[int, Address] = field(default_factory=dict)

    def take_results(self, results: Iterable[CallDone | CallFailed]) -> None:
        """Results of calls to the outside world."""
        for result in results:
            self.works.append(result)
            self.size += 1

    def take_messages(self, arrived: deque[M], following: Following) -> None:
        """Messages as they came, until there is enough for one commit; heads go to `following`."""
        while arrived and self.size < MESSAGES:
            self.last = arrived.popleft()
            self._take(self.last, following)

    def _take(self, message: M, following: Following) -> None:
        try:
            body = decode(message.body or b"", self.heard)
        except Malformed as error:
            self._drop(str(error))
            return
        match body:
            case Slice(source=source, last=last) if source in following.heads:
                following.heard(source, last)
                self.works.append(body)
                self.size += len(body.events)
            case Head(source=source, position=position):
                following.announced(source, position)
            case [Asked(), *_]:
                for asked in body:
                    if isinstance(asked, Asked):
                        self._addresses[id(asked.message)] = (asked.reply_to, asked.ticket)
                        self.works.append(asked.message)
                        self.size += 1
            case _:
                self._drop("nothing for a writer")

    def _drop(self, reason: str) -> None:
        self.dropped += 1
        logger.error("message dropped", reason=reason)

    def answers(self, replies: Iterable[tuple[CommandMessage, Reply]]) -> dict[str, list[Answered]]:
        """The replies for each queue that wants some."""
        found: dict[str, list[Answered]] = defaultdict(list)
        for message, reply in replies:
            queue, ticket = self._addresses[id(message)]
            found[queue].append(Answered(ticket, reply))
        return found
