"""Rows of one file that name the same: a later one is a duplicate of an earlier one that was taken, and of no other."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from services.gateway.imports.report import Fate, RowFate
from services.gateway.imports.seen import Seen

# How many rows wait at a time for what becomes of an earlier one.
MOST_WAITING = 5_000
_TAKEN: frozenset[Fate] = frozenset({"listed", "changed", "unchanged", "loaded", "duplicate"})
T = TypeVar("T")


class Repeats(Generic[T]):
    """Says of each row whether it is to be sent; `field` is what rows may name alike, `called` its name in a detail."""

    def __init__(self, field: str, called: str) -> None:
        self._field, self._called = field, called
        self._taken, self._unanswered = Seen(), Seen()
        self._under_way: set[str] = set()
        self._behind: dict[str, deque[tuple[int, T]]] = {}
        self._next: list[T] = []
        self.waiting = 0

    def judge(self, row: int, name: str, item: T) -> RowFate | T | None:
        """The row's fate where an earlier row decides it; None where it waits for an earlier one; else the row itself,
        which is to be sent."""
        if name in self._under_way:
            self._behind.setdefault(name, deque()).append((row, item))
            self.waiting += 1
            return None
        if (fate := self._fate(row, name)) is not None:
            return fate
        self._under_way.add(name)
        return item

    def told(self, name: str, fate: Fate) -> list[RowFate]:
        """What became of a row that was sent; the fates that this decides."""
        if fate in _TAKEN:
            self._taken.add(name)
        elif fate == "unanswered":
            self._unanswered.add(name)
        behind = self._behind.pop(name, None)
        if behind is not None and fate not in _TAKEN and fate != "unanswered":
            self._next.append(behind.popleft()[1])
            if behind:
                self._behind[name] = behind
            return []
        self._under_way.remove(name)
        self.waiting -= len(behind or ())
        return [found for row, _ in behind or () if (found := self._fate(row, name)) is not None]

    def release(self) -> list[T]:
        """Those that are to be sent now, for the row before them was not taken."""
        released, self._next = self._next, []
        self.waiting -= len(released)
        return released

    def _fate(self, row: int, name: str) -> RowFate | None:
        if name in self._taken:
            return RowFate(row, "duplicate", field=self._field, detail=f"the {self._called} is in an earlier row")
        if name in self._unanswered:
            detail = f"an earlier row of the {self._called} was not answered; import the file again"
            return RowFate(row, "unanswered", code="unanswered", detail=detail)
        return None
