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
    """A call to the outside world gave its result."""

    call: DueCall
    result: Command


@dataclass(frozen=True, slots=True)
class CallFailed:
    """A call to the outside world raised."""

    call: DueCall
    error: str


@dataclass(frozen=True, slots=True)
class ReplayParked:
    """Try one parked message again."""

    parked_id: str


@dataclass(frozen=True, slots=True)
class DiscardParked:
    """Drop one parked message for good, by a person's decision."""

    parked_id: str


@dataclass(frozen=True, slots=True)
class DueCommands:
    """The agenda's commands whose time has come, at most `limit`. The writer adds it to every batch by itself."""

    limit: int = 500


ALL_DUE = "agenda"
Input: TypeAlias = CommandMessage | EventBatch | CallDone | CallFailed | ReplayParked | DiscardParked | DueCommands


@dataclass(slots=True)
class PendingCommand:
    """A command to decide on `stream`. `ref` names the message it came from, uniquely and the same on every try."""

    ref: str
    command: Command
    command_id: str
    meta: Metadata
    stream: str


@dataclass(slots=True)
class ReceivedEvent:
    """An event of a log that is read here, and what it calls for: None while it is held back."""

    ref: str
    recorded: RecordedEvent
    tasks: Sequence[PendingCommand] | None = None


@dataclass(slots=True)
class CommitResult:
    """What one group commit did: each command with its reply, the new events, and the calls to make now."""

    replies: list[tuple[CommandMessage, Reply]] = field(default_factory=list)
    published: EventBatch | None = None
    calls: Sequence[DueCall] = ()


def split(work: Input) -> list[Input]:
    """A slice of several events as slices of one, due commands in halves; anything else as it is."""
    if isinstance(work, DueCommands) and work.limit > 1:
        return [DueCommands(work.limit // 2), DueCommands(work.limit - work.limit // 2)]
    if not isinstance(work, EventBatch) or len(work.events) <= 1:
        return [work]
    starts = [work.first, *(event.position + 1 for event in work.events[:-1])]
    ends = [*(event.position for event in work.events[:-1]), work.last]
    befores = [work.before, *(event.hash for event in work.events[:-1])]
    hashes = [*(event.hash for event in work.events[:-1]), work.hash]
    return [
        EventBatch(work.source, first, last, [event], before, hash_)
        for first, last, event, before, hash_ in zip(starts, ends, work.events, befores, hashes, strict=True)
    ]


def ref_of(work: Input) -> str:
    """The name under which a single message is blamed and parked."""
    match work:
        case CommandMessage(id=id_):
            return f"command/{id_}"
        case EventBatch(source=source, events=events):
            return f"{source}/{events[0].position if events else work.last}/0"
        case CallDone(call=call) | CallFailed(call=call):
            return f"call/{call.token}/{call.attempt}"
        case ReplayParked(parked_id=id_) | DiscardParked(parked_id=id_):
            return f"parked/{id_}"
        case DueCommands():
            return ALL_DUE


def joined(first: CommitResult, second: CommitResult) -> CommitResult:
    """Two commits in a row as one outcome."""
    published = first.published or second.published
    if first.published and second.published:
        events = [*first.published.events, *second.published.events]
        one, other = first.published, second.published
        published = EventBatch(one.source, one.first, other.last, events, one.before, other.hash)
    return CommitResult([*first.replies, *second.replies], published, [*first.calls, *second.calls])
