"""Laws about replies: accepted commands are durable, repeats get the same reply, refused commands change nothing."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.eventstore.recorded import RecordedEvent
from shared.laws.finding import Finding, finding


@dataclass(frozen=True, slots=True)
class Ack:
    """A reply that a caller got; `outcome` and `position` are those of Reply, `service` is its `source`."""

    service: str
    command_id: str
    position: int
    outcome: str


@dataclass(frozen=True, slots=True)
class ReceivedReply:
    """A reply with its command's `fingerprint`. `answer` is the content of the reply, in any form that can be compared,
    without whether it was repeated."""

    command_id: str
    fingerprint: str
    outcome: str
    answer: Any = None
    service: str = ""


def ack_durable(
    acks: Iterable[Ack], in_log: Container[tuple[str, str]], heads: Mapping[str, int] | None = None
) -> Finding:
    """AckDurable: a service knows every command that it accepted, and its log reaches the positions in its replies.

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


def idempotent_same(replies: Iterable[ReceivedReply]) -> Finding:
    """IdempotentSame: the same command with the same id always gets the same reply; another body is a conflict.

    Replies may be in any order. `failed` promises nothing: the command may be decided later.
    """
    first: dict[tuple[str, str], ReceivedReply] = {}
    conflicts: list[ReceivedReply] = []
    broken: list[str] = []
    checked = 0
    for reply in replies:
        checked += 1
        if reply.outcome == "conflict":
            conflicts.append(reply)
        elif reply.outcome != "failed":
            before = first.setdefault((reply.service, reply.command_id), reply)
            if before.fingerprint != reply.fingerprint:
                broken.append(f"{reply.command_id} was {reply.outcome} with another body")
            elif (before.outcome, before.answer) != (reply.outcome, reply.answer):
                broken.append(f"{reply.command_id} was answered {before.outcome} and then otherwise: {reply.outcome}")
    for reply in conflicts:
        before = first.get((reply.service, reply.command_id))
        if before is not None and before.fingerprint == reply.fingerprint:
            broken.append(f"{reply.command_id} was a conflict with itself")
    return finding("IdempotentSame", checked, broken)


def reject_atomic(acks: Iterable[Ack], events: Iterable[RecordedEvent]) -> Finding:
    """RejectAtomic: a refused command changed nothing: no event of its service has its id as causation."""
    refused = {(ack.service, ack.command_id) for ack in acks if ack.outcome == "refused"}
    broken = [
        f"{recorded.meta.causation_id} was refused and caused {recorded.name} ({recorded.source} {recorded.position})"
        for recorded in events
        if (recorded.source, recorded.meta.causation_id) in refused
    ]
    return finding("RejectAtomic", len(refused), broken)
