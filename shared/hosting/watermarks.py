"""Waiting until read models have applied a log up to a position, or anything more at all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import Future


class Watermarks:
    """How far the read models have applied each log, and who waits for it. `moves` counts how often they moved on."""

    def __init__(self) -> None:
        self.moves = 0
        self._lock = threading.Lock()
        self._positions: dict[str, int] = {}
        self._waiting: dict[str, list[tuple[int, Future[None]]]] = {}
        self._curious: list[Future[None]] = []

    def reached(self, positions: Mapping[str, int]) -> None:
        """The read models now hold the events of these logs up to these positions."""
        with self._lock:
            further = {source: at for source, at in positions.items() if at > self._positions.get(source, 0)}
            if not further:
                return
            self._positions |= further
            self.moves += 1
            over, self._curious = self._curious, []
            for source, at in further.items():
                waiting = self._waiting.pop(source, [])
                over += [future for wanted, future in waiting if wanted <= at]
                if left := [item for item in waiting if item[0] > at]:
                    self._waiting[source] = left
        for future in over:
            if future.set_running_or_notify_cancel():
                future.set_result(None)

    def position(self, source: str) -> int:
        """How far a log is applied, as far as is known."""
        with self._lock:
            return self._positions.get(source, 0)

    def awaited(self) -> bool:
        """Whether anybody waits."""
        with self._lock:
            return any(not future.done() for future in self._all())

    def _all(self) -> list[Future[None]]:
        return [*self._curious, *(future for waiting in self._waiting.values() for _, future in waiting)]

    async def wait(self, source: str, position: int, seconds: float) -> bool:
        """Until the position is reached; False when that takes longer."""
        future: Future[None] = Future()
        with self._lock:
            if self._positions.get(source, 0) >= position:
                return True
            self._waiting.setdefault(source, []).append((position, future))
        return await _within(future, seconds)

    async def moved(self, since: int, seconds: float) -> bool:
        """Until `moves` is more than `since`; False when that takes longer."""
        future: Future[None] = Future()
        with self._lock:
            if self.moves > since:
                return True
            self._curious = [one for one in self._curious if not one.cancelled()]
            self._curious.append(future)
        return await _within(future, seconds)


async def _within(future: Future[None], seconds: float) -> bool:
    try:
        await asyncio.wait_for(asyncio.wrap_future(future), seconds)
    except TimeoutError:
        return False
    return True
