"""Whether a batch of events continues what a reader has applied of its source, by positions and hashes."""

from __future__ import annotations

from typing import Literal, TypeAlias

from shared.messages.messages import EventBatch

Continuity: TypeAlias = Literal["next", "old", "gap", "other"]


def fit(part: EventBatch, reached: int, known: bytes) -> Continuity:
    """How a batch continues a log that is applied up to `reached`, where its chain has the hash `known` (empty:
    unknown).

    `next`: it continues there. `old`: it holds nothing new. `gap`: events are missing before it, or it begins earlier,
    so that its hash cannot be compared: pull from `reached`. `other`: it belongs to another log, which has other events
    up to `reached`.
    """
    if known and part.before and part.first == reached + 1 and part.before != known:
        return "other"
    if known and part.hash and part.last == reached and part.hash != known:
        return "other"
    if part.last <= reached:
        return "old"
    if part.first > reached + 1 or (known and part.before and part.first <= reached):
        return "gap"
    return "next"
