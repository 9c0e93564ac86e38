"""What travels between services, and the one small port it travels through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from shared.contracts import Command, Metadata
from shared.eventstore.divergence import Divergence, ReaderPosition
from shared.eventstore.recorded import RecordedEvent


@dataclass(frozen=True, slots=True)
class EventBatch:
    """A stretch of one log, from position `first` to `last`. For a reader, what it does not hear may be left out.

    `before` is the hash of the log's chain before `first`, `hash` that at `last`; empty where they are not known.
    """

    source: str
    first: int
    last: int
    events: Sequence[RecordedEvent]
    before: bytes = field(default=b"", compare=False)
    hash: bytes = field(default=b"", compare=False)


HALTED = "not-deciding"
"""The code of a reply of a service that decides nothing, and changes nothing, until a person has looked."""


class NobodyDecides(TimeoutError):
    """Nobody takes in what a service is sent: it may be decided when somebody does, so the outcome is unknown."""


@dataclass(frozen=True, slots=True)
class CommandMessage:
    """A command on its way. The same `id` gives the same reply, however often it arrives."""

    id: str
    command: Command
    meta: Metadata


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a command.

    `accepted`: decided and durable, in the log of `source` up to `position`; `answer` is what the decision told.
    `refused`: against the rules; nothing changed. `conflict`: this id was used before with another body.
    `failed`: an error of ours; the command is parked and a person will see it.
    `code`, `detail`, `status` and `facts` explain a "no" as Refused does. `repeated` marks a remembered reply.
    """

    outcome: Literal["accepted", "refused", "conflict", "failed"]
    source: str
    position: int
    answer: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    detail: str = ""
    status: int = 200
    facts: Mapping[str, str | int] = field(default_factory=dict)
    repeated: bool = False


class Bus(Protocol):
    """Carries commands to a service's writer and slices of its log to its readers.

    Slices may be lost, repeated or come late: a reader keeps its position and pulls what it misses.
    """

    def send(self, service: str, message: CommandMessage) -> Future[Reply]:
        """Hand a command to the writer of `service`; the future ends with its reply."""
        ...

    def publish(self, part: EventBatch) -> None:
        """Offer new events of a log to whoever reads it."""
        ...

    def announce(self, source: str, head: int) -> None:
        """Say how far a log reaches, so that a lost last slice shows."""
        ...

    def pull(self, source: str, after: int, limit: int) -> EventBatch:
        """The events of a log after a position, at most `limit`; an empty slice has `last == after`."""
        ...

    def compare(self, reader: str, source: str, reached: ReaderPosition) -> Divergence | None:
        """What a log has against what a reader has applied of it; its owner hears of it."""
        ...

    def subscribe(
        self, source: str, on_slice: Callable[[EventBatch], None], on_head: Callable[[str, int], None]
    ) -> None:
        """Have a log's slices and head announcements handed over as they come."""
        ...
