"""Calls to the outside world that are under way or waiting, at most 32 at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from shared.scheduler.scheduler import DueCall
from shared.writer.inputs import CallDone, CallFailed

AT_ONCE = 32
CallResult: TypeAlias = CallDone | CallFailed
Perform: TypeAlias = Callable[[DueCall, Callable[[CallResult], None]], object]


class ExternalCalls:
    """The calls of one writer, under way or waiting for their turn.

    `perform(call, done)` must see to it that the call is made elsewhere and `done` is called with its result, on
    whatever thread. `arrived` is called from there as well.
    """

    def __init__(self, perform: Perform, arrived: Callable[[], object]) -> None:
        self._perform, self._arrived = perform, arrived
        self._waiting: dict[str, DueCall] = {}
        self._under_way = 0
        self._results: deque[CallResult] = deque()

    def offer(self, call: DueCall) -> None:
        """Make it when its turn comes; a later attempt takes the place of an earlier one that still waits."""
        self._waiting[call.key] = call
        self._begin()

    def _begin(self) -> None:
        while self._waiting and self._under_way < AT_ONCE:
            call = self._waiting.pop(next(iter(self._waiting)))
            self._under_way += 1
            self._perform(call, self._done)

    def _done(self, result: CallResult) -> None:
        self._results.append(result)
        self._arrived()

    def results(self) -> list[CallResult]:
        """What has come back since the last time."""
        came = [self._results.popleft() for _ in range(len(self._results))]
        self._under_way -= len(came)
        self._begin()
        return came

    def forget_waiting(self) -> None:
        """Begin no more: what still waits is made by whoever writes next."""
        self._waiting.clear()

    def __bool__(self) -> bool:
        return self._under_way > 0
