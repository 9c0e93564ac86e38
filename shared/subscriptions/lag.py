"""Measures how long a reader has been behind each of its sources."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

EVERY_SECONDS = 1.0
MARKS = 3_600


class LagTracker:
    """Notes once a second how far each log is known to reach, so it knows since when the first event not yet applied
    has been known."""

    def __init__(self) -> None:
        self._marks: dict[str, deque[tuple[int, float]]] = {}

    def look(self, lag: Mapping[str, int], positions: Mapping[str, int], now: float) -> None:
        """Take a measurement. `lag`: events by source; `now`: seconds of any clock that only goes forward."""
        for source, events in lag.items():
            position, marks = positions.get(source, 0), self._marks.setdefault(source, deque())
            while marks and marks[0][0] <= position:
                marks.popleft()
            if not events or len(marks) >= MARKS:
                continue
            if not marks or (now - marks[-1][1] >= EVERY_SECONDS and position + events > marks[-1][0]):
                marks.append((position + events, now))

    def seconds(self, now: float) -> dict[str, float]:
        """By source, how many seconds the first event not yet applied has been known; 0 when there is none."""
        return {source: now - marks[0][1] if marks else 0.0 for source, marks in self._marks.items()}
