"""What callers were told is true, stays true, and is all that happened."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.eventstore.recorded import RecordedEvent
from shared.laws.finding import Finding, finding


@dataclass(frozen=True, slots=True)
class Ack:
    """A reply that a caller got: `outcome` and `position` are those of Reply, `service` its `source`."""

    service: str
    command_id: str
    position: int
    outcome: str


@dataclass(frozen=True, slots=True)
class ReplyTold:
    """A reply and what was asked for: `fingerprint` is the command's. `answer` is all that the reply says, in any form
    that can be compared, without whether it was repeated."""

    command_id: str
    fingerprint: str
    outcome: str
    answer: Any = None
    service: str = ""


def ack_durable(
    acks: Iterable[Ack], in_log: Container[tuple[str, str]], heads: Mapping[str, int] | None = None
) -> Finding:
    """AckDurable: the service knows each command that it accepted, and has what it said it has.

    `in_log` holds (service, command id) of the commands that a service remembers or that caused events; `heads` is
    where the logs end.
    """
    checked, broken = 0, []
    for ack in acks:
        checked += 1
        if ack.outcome == "accepted" and (ack.service, ack.command_id) not in in_log:
            broken.append(f"{ack.command_id} was accepted by {ack.service}, which knows nothing of it")
        if heads is not None and ack.position > heads.get(ack.service, 0):
            head = heads.get(ack.service, 0)
            broken.append(f"{ack.command_id} was answered at {ack.service} {ack.position}, the log ends at {head}")
    return finding("AckDurable", checked, broken)


def idempotent_same(replies: Iterable[ReplyTold]) -> Finding:
    """IdempotentSame: the same command under the same id is always answered alike, another body is a conflict.

    Replies may be in any order. What `failed` promises nothing: it may be answered later.
    """
    first: dict[tuple[str, str], ReplyTold] = {}
    conflicts: list[ReplyTold] = []
    broken: list[str] = []
    checked = 0
    for told in replies:
        checked += 1
        if told.outcome == "conflict":
            conflicts.append(told)
        elif told.outcome != "failed":
            before = first.setdefault((told.service, told.command_id), told)
            if before.fingerprint != told.fingerprint:
                broken.append(f"{told.command_id} was {told.outcome} with another body")
            elif (before.outcome, before.answer) != (told.outcome, told.answer):
                broken.append(f"{told.command_id} was answered {before.outcome} and then otherwise: {told.outcome}")
    for told in conflicts:
        before = first.get((told.service, told.command_id))
        if before is not None and before.fingerprint == told.fingerprint:
            broken.append(f"{told.command_id} was a conflict with itself")
    return finding("IdempotentSame", checked, broken)


def reject_atomic(acks: Iterable[Ack], events: Iterable[RecordedEvent]) -> Finding:
    """RejectAtomic: a refused command changed nothing; no event of its service carries its id as causation."""
    refused = {(ack.service, ack.command_id) for ack in acks if ack.outcome == "refused"}
    broken = [
        f"{recorded.meta.causation_id} was refused and caused {recorded.name} ({recorded.source} {recorded.position})"
        for recorded in events
        if (recorded.source, recorded.meta.causation_id) in refused
    ]
    return finding("RejectAtomic", len(refused), broken)
