"""Whether a batch of events continues what a reader has applied of its source."""

from __future__ import annotations

from typing import Literal, TypeAlias

from shared.messages.messages import EventBatch

Continuity: TypeAlias = Literal["next", "old", "gap", "other"]


def fit(part: EventBatch, reached: int, known: bytes) -> Continuity:
    """How a slice fits behind position `reached`, where the chain has the hash `known` (empty: nobody knows).

    `next`: it goes on from there. `old`: there is nothing new in it. `gap`: events are missing before it, or it begins
    earlier, so that nobody can see whether it goes on from there: it is to be asked for again. `other`: it is of
    another log, which has other events up to that position.
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
