"""Runs a writer's external calls, at most 32 at once; the others wait in line."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from shared.scheduler.scheduler import DueCall
from shared.writer.inputs import CallDone, CallFailed

MAX_CONCURRENT_CALLS = 32
CallResult: TypeAlias = CallDone | CallFailed
Perform: TypeAlias = Callable[[DueCall, Callable[[CallResult], None]], object]


class ExternalCalls:
    """The external calls of one writer: those under way and those that wait.

    `perform(call, done)` has the call made on another thread, which then calls `done` with the result. That thread also
    calls `arrived`.
    """

    def __init__(self, perform: Perform, arrived: Callable[[], object]) -> None:
        self._perform, self._arrived = perform, arrived
        self._waiting: dict[str, DueCall] = {}
        self._under_way = 0
        self._results: deque[CallResult] = deque()

    def offer(self, call: DueCall) -> None:
        """Add a call to the line. A later attempt replaces an earlier one of the same key that still waits."""
        self._waiting[call.key] = call
        self._begin()

    def _begin(self) -> None:
        while self._waiting and self._under_way < MAX_CONCURRENT_CALLS:
            call = self._waiting.pop(next(iter(self._waiting)))
            self._under_way += 1
            self._perform(call, self._done)

    def _done(self, result: CallResult) -> None:
        self._results.append(result)
        self._arrived()

    def results(self) -> list[CallResult]:
        """The results that have come since the last call of this method."""
        came = [self._results.popleft() for _ in range(len(self._results))]
        self._under_way -= len(came)
        self._begin()
        return came

    def forget_waiting(self) -> None:
        """Drop the calls that wait; the next writer finds them in the database and makes them."""
        self._waiting.clear()

    def __bool__(self) -> bool:
        return self._under_way > 0
