"""Slows guessing down."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import datetime, timedelta


class Throttle:
    """Allows each caller so many failures in a span of time. Remembers at most `keep` callers, the latest to fail."""

    def __init__(
        self,
        now: Callable[[], datetime],
        failures: int,
        within: timedelta = timedelta(minutes=1),
        keep: int = 100_000,
    ) -> None:
        self._now, self._failures, self._within, self._keep = now, failures, within, keep
        self._failed: OrderedDict[str, deque[datetime]] = OrderedDict()

    def wait(self, caller: str) -> float:
        """The seconds until this caller may try again, 0 when at once."""
        times = self._failed.get(caller)
        if times is None or len(times) < self._failures:
            return 0
        return max(0.0, (times[0] + self._within - self._now()).total_seconds())

    def failed(self, caller: str) -> None:
        times = self._failed.setdefault(caller, deque(maxlen=self._failures))
        times.append(self._now())
        self._failed.move_to_end(caller)
        if len(self._failed) > self._keep:
            self._failed.popitem(last=False)
