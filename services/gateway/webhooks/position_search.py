"""Finds the position of a log at a point in time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeAlias

from shared.messages.messages import EventBatch

Pull: TypeAlias = Callable[[str, int, int], Awaitable[EventBatch]]


async def position_at(pull: Pull, source: str, head: int, at: datetime) -> int:
    """The last position up to `head` whose event is not later than `at`; 0 when there is none.

    Times never fall along a log. Raises LookupError when the log does not reach that far.
    """
    low, high = 0, head
    if head and await _time_of(pull, source, head) <= at:
        return head
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if await _time_of(pull, source, middle) <= at else (low, middle - 1)
    return low


async def _time_of(pull: Pull, source: str, position: int) -> datetime:
    events = (await pull(source, position - 1, 1)).events
    if not events:
        raise LookupError(f"the log of {source} ends before {position}")
    return events[0].at
