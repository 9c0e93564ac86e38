"""The messages between services: commands, replies and batches of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.contracts import Command, Metadata
from shared.eventstore.recorded import RecordedEvent


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Consecutive events of one log, from position `first` to `last`. Decoded for a reader, events that it does not
    hear may be left out.

    `before` is the hash of the log's chain before `first`, `hash` the one at `last`; empty when not known.
    """

    source: str
    first: int
    last: int
    events: Sequence[RecordedEvent]
    before: bytes = field(default=b"", compare=False)
    hash: bytes = field(default=b"", compare=False)


HALTED = "not-deciding"
"""The code of a `failed` reply from a writer that is halted: it decides nothing."""


class NobodyDecides(TimeoutError):
    """No process consumes a service's inbox. The command may be decided later, so its outcome is unknown."""


@dataclass(frozen=True, slots=True)
class CommandMessage:
    """A command with its id and metadata. The same `id` gets the same reply, however often it arrives."""

    id: str
    command: Command
    meta: Metadata


@dataclass(frozen=True, slots=True)
class Reply:
    """The outcome of a command.

    `accepted`: decided and durable, in the log of `source` up to `position`; `answer` is the decision's answer.
    `refused`: a rule forbids it; nothing changed. `conflict`: this id was used before with another body. `failed`: an
    internal error; the command is parked, or the writer is halted. `code`, `detail`, `status` and `facts` explain every
    outcome but `accepted`, as Refused does. `repeated`: the command was answered before, and this is the stored reply.
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
