"""Rows of one file with the same name. A row is a duplicate only of an earlier row that was taken.

Rows of one name are judged in their order, each after the one before it. After a few refusals of a name, its further
rows are not sent.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import replace
from typing import Generic, TypeVar

from services.gateway.imports.hash_set import HashSet
from services.gateway.imports.report import Fate, RowFate

# The most rows that may wait for the fate of an earlier one.
MOST_WAITING = 5_000
# After so many refused rows of a name, the others get the same fate.
MOST_REFUSALS = 3
_TAKEN: frozenset[Fate] = frozenset({"listed", "changed", "unchanged", "loaded", "duplicate"})
T = TypeVar("T")


class Repeats(Generic[T]):
    """Decides which rows are sent. `field` is the field that rows may have in common, `called` its name in details."""

    def __init__(self, field: str, called: str) -> None:
        self._field, self._called = field, called
        self._taken, self._unanswered = HashSet(), HashSet()
        # Names refused once, twice, and so on; and by their fate, names of which no further row is sent.
        self._refused = [HashSet() for _ in range(1, MOST_REFUSALS)]
        self._given_up: defaultdict[RowFate, HashSet] = defaultdict(HashSet)
        self._under_way: set[str] = set()
        self._behind: dict[str, deque[tuple[int, T]]] = {}
        self.waiting = 0

    def judge(self, row: int, name: str, item: T) -> RowFate | T | None:
        """The row's fate, if an earlier row decides it; None, if it waits for an earlier one; else the item, which must
        be sent."""
        if name in self._under_way:
            self._behind.setdefault(name, deque()).append((row, item))
            self.waiting += 1
            return None
        if (fate := self._fate(row, name)) is not None:
            return fate
        self._under_way.add(name)
        return item

    def settle(self, name: str, fate: RowFate) -> tuple[list[RowFate], T | None]:
        """Take the fate of a row that was sent. Returns the fates that it decides, and the item to send next, if
        any."""
        if fate.fate in _TAKEN:
            self._taken.add(name)
        elif fate.fate == "unanswered":
            self._unanswered.add(name)
        elif not self._is_given_up(name, fate) and (behind := self._behind.get(name)):
            self.waiting -= 1
            return [], behind.popleft()[1]
        self._under_way.remove(name)
        behind = self._behind.pop(name, ())
        self.waiting -= len(behind)
        return [found for row, _ in behind if (found := self._fate(row, name)) is not None], None

    def _is_given_up(self, name: str, refusal: RowFate) -> bool:
        for names in self._refused:
            if name not in names:
                names.add(name)
                return False
        detail = f"{refusal.fate}, as the rows of the {self._called} before it"
        self._given_up[replace(refusal, row=0, detail=detail)].add(name)
        return True

    def _fate(self, row: int, name: str) -> RowFate | None:
        if name in self._taken:
            return RowFate(row, "duplicate", field=self._field, detail=f"the {self._called} is in an earlier row")
        if name in self._unanswered:
            detail = f"an earlier row of the {self._called} was not answered; import the file again"
            return RowFate(row, "unanswered", code="unanswered", detail=detail)
        for refusal, names in self._given_up.items():
            if name in names:
                return replace(refusal, row=row)
        return None
