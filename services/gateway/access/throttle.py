"""Limits how often a caller may try something."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import datetime, timedelta


class Throttle:
    """Allows each caller `most` tries within a span of time. It remembers the latest `keep` callers."""

    def __init__(
        self,
        now: Callable[[], datetime],
        most: int,
        within: timedelta = timedelta(minutes=1),
        keep: int = 100_000,
    ) -> None:
        self._now, self._most, self._within, self._keep = now, most, within, keep
        self._tries: OrderedDict[str, deque[datetime]] = OrderedDict()

    def wait(self, caller: str) -> float:
        """The seconds until this caller may try again, 0 when at once."""
        times = self._tries.get(caller)
        if times is None or len(times) < self._most:
            return 0
        return max(0.0, (times[0] + self._within - self._now()).total_seconds())

    def tried(self, caller: str) -> None:
        times = self._tries.setdefault(caller, deque(maxlen=self._most))
        times.append(self._now())
        self._tries.move_to_end(caller)
        if len(self._tries) > self._keep:
            self._tries.popitem(last=False)

    def forgive(self, caller: str) -> None:
        """Uncount the caller's latest try."""
        times = self._tries.get(caller)
        if times:
            times.pop()
