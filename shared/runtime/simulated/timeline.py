"""Virtual time: runs acts in the order of their times."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

START = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)


class Timeline:
    """Acts run one after the other, each at its time; between two acts, time jumps."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._acts: list[tuple[datetime, int, Callable[[], object]]] = []
        self._numbers = count()
        self.acted = 0

    def now(self) -> datetime:
        """The time in UTC."""
        return self._now

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        """Run `act` so many seconds from now. Of two acts at the same time, the one added first runs first."""
        at = self._now + timedelta(seconds=max(0.0, seconds))
        heapq.heappush(self._acts, (at, next(self._numbers), act))

    def step(self) -> bool:
        """Run the next act. Returns False when there is none."""
        if not self._acts:
            return False
        self._now, _, act = heapq.heappop(self._acts)
        self.acted += 1
        act()
        return True
