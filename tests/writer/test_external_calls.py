"""Calls take turns."""

from __future__ import annotations

from collections.abc import Callable

from shared.scheduler.scheduler import DueCall
from shared.writer.external_calls import MAX_CONCURRENT_CALLS, CallResult, ExternalCalls
from shared.writer.inputs import CallFailed
from tests.runtime.builders import META


class World:
    """Takes calls and answers none before it is told to."""

    def __init__(self) -> None:
        self.taken: list[tuple[DueCall, Callable[[CallResult], None]]] = []
        self.rings = 0
        self.calls = ExternalCalls(lambda call, done: self.taken.append((call, done)), self._ring)

    def _ring(self) -> None:
        self.rings += 1

    def attempts(self) -> list[tuple[str, int]]:
        return [(call.key, call.attempt) for call, _ in self.taken]

    def answer(self, index: int) -> CallResult:
        call, done = self.taken[index]
        result = CallFailed(call, "no")
        done(result)
        return result


def due(key: int, attempt: int = 1) -> DueCall:
    return DueCall(f"{key}", f"token-{key}", "tell", {}, attempt, META)


def test_only_so_many_calls_are_under_way() -> None:
    world = World()
    for n in range(MAX_CONCURRENT_CALLS + 3):
        world.calls.offer(due(n))

    assert len(world.taken) == MAX_CONCURRENT_CALLS


def test_a_result_makes_room_for_the_next_in_turn() -> None:
    world = World()
    for n in range(MAX_CONCURRENT_CALLS + 3):
        world.calls.offer(due(n))
    result = world.answer(5)

    assert world.rings == 1
    assert world.calls.results() == [result]
    assert world.attempts()[MAX_CONCURRENT_CALLS:] == [(f"{MAX_CONCURRENT_CALLS}", 1)]
    assert world.calls.results() == []


def test_a_later_attempt_takes_the_place_of_one_that_waits() -> None:
    world = World()
    for n in range(MAX_CONCURRENT_CALLS + 2):
        world.calls.offer(due(n))
    world.calls.offer(due(MAX_CONCURRENT_CALLS, attempt=2))
    world.answer(0)
    world.answer(1)
    world.calls.results()

    assert world.attempts()[MAX_CONCURRENT_CALLS:] == [
        (f"{MAX_CONCURRENT_CALLS}", 2),
        (f"{MAX_CONCURRENT_CALLS + 1}", 1),
    ]


def test_what_waits_can_be_left_to_a_successor() -> None:
    world = World()
    for n in range(MAX_CONCURRENT_CALLS + 2):
        world.calls.offer(due(n))
    world.calls.forget_waiting()
    for n in range(MAX_CONCURRENT_CALLS):
        world.answer(n)
    world.calls.results()

    assert len(world.taken) == MAX_CONCURRENT_CALLS
    assert not world.calls
