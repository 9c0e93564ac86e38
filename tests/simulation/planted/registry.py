"""Every planted bug, by its name, with the laws that may name it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

Switch = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Planted:
    """`laws` are those that may name it, `switch` turns it on."""

    name: str
    laws: frozenset[str]
    switch: Switch


PLANTED: list[Planted] = []


def planted(*laws: str) -> Callable[[Switch], Switch]:
    def add(switch: Switch) -> Switch:
        PLANTED.append(Planted(switch.__name__, frozenset(laws), switch))
        return switch

    return add


@contextmanager
def together(*switches: AbstractContextManager[Any]) -> Iterator[None]:
    """All of these at once."""
    with ExitStack() as stack:
        for switch in switches:
            stack.enter_context(switch)
        yield
