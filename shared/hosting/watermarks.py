"""Waiting until read models have applied a log up to a position."""

from __future__ import annotations

import threading
from concurrent.futures import Future


class Watermarks:
    """How far the read models have applied each log, and who waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._positions: dict[str, int] = {}
        self._waiting: dict[str, list[tuple[int, Future[None]]]] = {}

    def reached(self, source: str, position: int) -> None:
        """The read models now hold a source's events up to this position."""
        with self._lock:
            self._positions[source] = position
            waiting = self._waiting.pop(source, [])
            self._waiting[source] = [item for item in waiting if item[0] > position]
        for wanted, future in waiting:
            if wanted <= position and future.set_running_or_notify_cancel():
                future.set_result(None)

    def awaited(self) -> bool:
        """Whether anybody waits."""
        with self._lock:
            return any(self._waiting.values())

    def wait(self, source: str, position: int) -> Future[None]:
        """A future that ends when the position is reached."""
        future: Future[None] = Future()
        with self._lock:
            if self._positions.get(source, 0) < position:
                self._waiting.setdefault(source, []).append((position, future))
                return future
        future.set_result(None)
        return future
