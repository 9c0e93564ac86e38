"""A service's database is restored from an earlier moment than its readers know: which, when and how far, by seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import pytest

from shared.eventstore import log
from shared.subscriptions import log_answers
from shared.writer import state
from shared.writer.state import WriterState
from tests.simulation.case import Case
from tests.simulation.world import World, inhabited

SEEDS, OWNERS = 5, ("order", "inventory", "ledger")
LONGEST_SECONDS, AFTER_SECONDS = 200.0, 90.0


def head(world: World, name: str) -> int:
    with world.host.logs[name].connect() as connection:
        return log.read_head(connection).position


def furthest(world: World, name: str) -> int:
    """How far any reader has applied the log."""
    behind = [lags[name] for lags in world.host.lags().values() if name in lags]
    return head(world, name) - min(behind)


def silently_lost(seed: str) -> list[str]:
    """What is accepted on a log that was set back, though its readers know other events, and who goes on with it."""
    case = Case(seed)
    luck = case.luck().fork("restored")
    name, first, lost = luck.choice(OWNERS), luck.randrange(2, 12), luck.randrange(1, 8)
    with inhabited(case.plan(), case.luck(), case.faults()) as world:
        host = world.host
        assert host.run(lambda: head(world, name) >= first, LONGEST_SECONDS)
        image, kept = host.stores[name].image(), head(world, name)
        host.run(lambda: furthest(world, name) >= kept + lost, LONGEST_SECONDS)
        assert furthest(world, name) > kept  # a quiet log may have less to lose
        host.heal()
        host.restore(name, image)
        host.run(lambda: False, AFTER_SECONDS)

        faults = []
        if head(world, name) > kept:
            faults.append(f"{name} has accepted {head(world, name) - kept} events behind {kept}")
        if not host.processes[name].writer.halted:
            faults.append(f"{name} says nothing of what it has lost")
        return faults


@pytest.mark.parametrize("seed", [str(seed) for seed in range(1, SEEDS + 1)])
def test_nothing_is_accepted_on_a_log_that_was_set_back(seed: str) -> None:
    assert silently_lost(seed) == []


def the_owner_decides_on() -> AbstractContextManager[Any]:
    return patch.object(WriterState, "contest", lambda self, found: None)


@contextmanager
def lags_are_clipped() -> Iterator[None]:
    """Nobody finds a reader beyond a head."""
    with ExitStack() as patches:
        for module in (state, log_answers):
            patches.enter_context(patch.object(module, "divergence", lambda *_: None))
        yield


@pytest.mark.parametrize("bug", [the_owner_decides_on, lags_are_clipped])
def test_a_planted_bug_is_seen(bug: Callable[[], AbstractContextManager[Any]]) -> None:
    with bug():
        seen = any("has accepted" in fault for seed in range(1, SEEDS + 1) for fault in silently_lost(str(seed)))

    assert seen
