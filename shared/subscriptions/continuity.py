"""Whether a batch of events continues what a reader has applied of its source, by positions and hashes."""

from __future__ import annotations

from typing import Literal, TypeAlias

from shared.messages.messages import EventBatch

Continuity: TypeAlias = Literal["next", "old", "gap", "other"]


def fit(batch: EventBatch, reached: int, known: bytes) -> Continuity:
    """How a batch continues a log that is applied up to `reached`, where its chain has the hash `known` (empty:
    unknown).

    `next`: it continues there. `old`: it holds nothing new. `gap`: events are missing before it, or it begins earlier,
    so that its hash cannot be compared: pull from `reached`. `other`: it belongs to another log, which has other events
    up to `reached`.
    """
    if known and batch.before and batch.first == reached + 1 and batch.before != known:
        return "other"
    if known and batch.hash and batch.last == reached and batch.hash != known:
        return "other"
    if batch.last <= reached:
        return "old"
    if batch.first > reached + 1 or (known and batch.before and batch.first <= reached):
        return "gap"
    return "next"
