"""What travels between services: commands, replies, and batches of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.contracts import Command, Metadata
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
