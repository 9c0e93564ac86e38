"""The inputs of a writer, and the result of committing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from shared.contracts import Command, Metadata
from shared.eventstore.recorded import RecordedEvent
from shared.messages.messages import CommandMessage, EventBatch, Reply
from shared.scheduler.scheduler import DueCall


@dataclass(frozen=True, slots=True)
class CallDone:
    """An external call returned: `result` is the command that carries its result."""

    call: DueCall
    result: Command


@dataclass(frozen=True, slots=True)
class CallFailed:
    """An external call raised: `error` is a text for people."""

    call: DueCall
    error: str


@dataclass(frozen=True, slots=True)
class ReplayParked:
    """A person wants one parked message tried again."""

    parked_id: str


@dataclass(frozen=True, slots=True)
class DiscardParked:
    """A person wants one parked message dropped."""

    parked_id: str


@dataclass(frozen=True, slots=True)
class DueCommands:
    """Take at most `limit` scheduled commands that are due. The writer adds this to every batch by itself."""

    limit: int = 500


ALL_DUE = "agenda"  # the refs of scheduled commands begin with it, in the database too
Input: TypeAlias = CommandMessage | EventBatch | CallDone | CallFailed | ReplayParked | DiscardParked | DueCommands


@dataclass(slots=True)
class PendingCommand:
    """A command to decide on `stream`. `ref` identifies the message that it came from and is the same on every try."""

    ref: str
    command: Command
    command_id: str
    meta: Metadata
    stream: str


@dataclass(slots=True)
class ReceivedEvent:
    """A received event, and the commands that the reactions answer it with; None while the event is held back."""

    ref: str
    recorded: RecordedEvent
    tasks: Sequence[PendingCommand] | None = None


@dataclass(slots=True)
class CommitResult:
    """What one group commit did: each command with its reply, the new events, and the calls to make now."""

    replies: list[tuple[CommandMessage, Reply]] = field(default_factory=list)
    published: EventBatch | None = None
    calls: Sequence[DueCall] = ()


def split(input_: Input) -> list[Input]:
    """An input in parts: a batch of events as batches of one event, due commands as two halves, others unchanged."""
    if isinstance(input_, DueCommands) and input_.limit > 1:
        return [DueCommands(input_.limit // 2), DueCommands(input_.limit - input_.limit // 2)]
    if not isinstance(input_, EventBatch) or len(input_.events) <= 1:
        return [input_]
    starts = [input_.first, *(event.position + 1 for event in input_.events[:-1])]
    ends = [*(event.position for event in input_.events[:-1]), input_.last]
    befores = [input_.before, *(event.hash for event in input_.events[:-1])]
    hashes = [*(event.hash for event in input_.events[:-1]), input_.hash]
    return [
        EventBatch(input_.source, first, last, [event], before, hash_)
        for first, last, event, before, hash_ in zip(starts, ends, input_.events, befores, hashes, strict=True)
    ]


def ref_of(input_: Input) -> str:
    """The identifier under which an input is blamed for an error, and parked."""
    match input_:
        case CommandMessage(id=id_):
            return f"command/{id_}"
        case EventBatch(source=source, events=events):
            return f"{source}/{events[0].position if events else input_.last}/0"
        case CallDone(call=call) | CallFailed(call=call):
            return f"call/{call.token}/{call.attempt}"
        case ReplayParked(parked_id=id_) | DiscardParked(parked_id=id_):
            return f"parked/{id_}"
        case DueCommands():
            return ALL_DUE


def joined(first: CommitResult, second: CommitResult) -> CommitResult:
    """The results of two consecutive commits as one."""
    published = first.published or second.published
    if first.published and second.published:
        events = [*first.published.events, *second.published.events]
        one, other = first.published, second.published
        published = EventBatch(one.source, one.first, other.last, events, one.before, other.hash)
    return CommitResult([*first.replies, *second.replies], published, [*first.calls, *second.calls])
