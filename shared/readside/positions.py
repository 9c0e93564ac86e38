"""Waits until the read models have applied a log up to a position, or have changed at all."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping

Waiter = asyncio.Future[None]


class ReadModelProgress:
    """How far the read models have applied each log, and the callers that wait. `revision` counts the changes.

    Callers wait on an event loop; `reached` may be called from any thread.
    """

    def __init__(self) -> None:
        self.revision = 0
        self._lock = threading.Lock()
        self._positions: dict[str, int] = {}
        self._waiting: dict[Waiter, tuple[str, int]] = {}
        self._curious: set[Waiter] = set()

    def reached(self, positions: Mapping[str, int]) -> None:
        """The read models now hold the events of these logs up to these positions."""
        with self._lock:
            further = {source: at for source, at in positions.items() if at > self._positions.get(source, 0)}
            if not further:
                return
            self._positions |= further
            self.revision += 1
            over = [waiter for waiter, (source, at) in self._waiting.items() if further.get(source, -1) >= at]
            over += self._curious
        _wake(over)

    def position(self, source: str) -> int:
        """The applied position of a log, as far as is known."""
        with self._lock:
            return self._positions.get(source, 0)

    def awaited(self) -> bool:
        """Whether a caller waits."""
        with self._lock:
            return bool(self._waiting or self._curious)

    async def wait(self, source: str, position: int, seconds: float) -> bool:
        """Wait until the position is reached; False when that takes longer."""
        waiter = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._positions.get(source, 0) >= position:
                return True
            self._waiting[waiter] = (source, position)
        return await self._within(waiter, seconds)

    async def wait_for_change(self, since: int, seconds: float) -> bool:
        """Wait until `revision` is more than `since`; False when that takes longer."""
        waiter = asyncio.get_running_loop().create_future()
        with self._lock:
            if self.revision > since:
                return True
            self._curious.add(waiter)
        return await self._within(waiter, seconds)

    async def _within(self, waiter: Waiter, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except TimeoutError:
            return False
        finally:
            with self._lock:
                self._waiting.pop(waiter, None)
                self._curious.discard(waiter)
        return True


def _wake(waiters: Iterable[Waiter]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[Waiter]] = defaultdict(list)
    for waiter in waiters:
        by_loop[waiter.get_loop()].append(waiter)
    for loop, over in by_loop.items():
        loop.call_soon_threadsafe(_end, over)


def _end(waiters: Iterable[Waiter]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
