"""Compact sets and maps for laws that must remember every id, and pairs that two logs must agree on."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Generic, Literal, TypeAlias, TypeVar

V = TypeVar("V")
Met: TypeAlias = Literal["first", "agreed", "differs", "twice"]

_BLOCK = 256
_SMALLEST = 16


class Numbers:
    """A set of numbers that lie close together, with one bit for each."""

    def __init__(self) -> None:
        self._blocks: dict[int, int] = {}

    def __contains__(self, number: int) -> bool:
        block, place = divmod(number, _BLOCK)
        return bool(self._blocks.get(block, 0) >> place & 1)

    def add(self, number: int) -> bool:
        """Add a number. Returns whether it is new."""
        block, place = divmod(number, _BLOCK)
        before = self._blocks.get(block, 0)
        after = self._blocks[block] = before | 1 << place
        return after != before


class Marks:
    """A map from texts to 64-bit integers, with 24 to 48 bytes for a text of any length.

    Texts are compared by a 64-bit hash: among a hundred million texts, two collide with a probability of 0.0003.
    """

    def __init__(self) -> None:
        self._hashes, self._values = _empty(_SMALLEST), _empty(_SMALLEST)
        self._count = 0

    def add(self, text: str, value: int = 0) -> bool:
        """Add a text with its value, unless it is there. Returns whether it is new."""
        slot = self._slot(hashed := hash(text) or 1)
        if self._hashes[slot]:
            return False
        self._hashes[slot], self._values[slot] = hashed, value
        self._count += 1
        if 3 * self._count > 2 * len(self._hashes):
            self._grow()
        return True

    def get(self, text: str) -> int | None:
        """The text's value; None for an unknown text."""
        slot = self._slot(hash(text) or 1)
        return self._values[slot] if self._hashes[slot] else None

    def change(self, text: str, by: int) -> int | None:
        """Change the text's value. Returns the new value; None for an unknown text."""
        slot = self._slot(hash(text) or 1)
        if not self._hashes[slot]:
            return None
        self._values[slot] += by
        return self._values[slot]

    def __contains__(self, text: str) -> bool:
        return bool(self._hashes[self._slot(hash(text) or 1)])

    def _slot(self, hashed: int) -> int:
        hashes, mask = self._hashes, len(self._hashes) - 1
        slot = hashed & mask
        while (there := hashes[slot]) and there != hashed:
            slot = slot + 1 & mask
        return slot

    def _grow(self) -> None:
        hashes, values = self._hashes, self._values
        self._hashes, self._values = _empty(2 * len(hashes)), _empty(2 * len(hashes))
        for hashed, value in zip(hashes, values, strict=True):
            if hashed:
                slot = self._slot(hashed)
                self._hashes[slot], self._values[slot] = hashed, value


def _empty(slots: int) -> array[int]:
    return array("q", bytes(8 * slots))


class Pairs(Generic[V]):
    """Facts that two sides must each state once and alike, in any order."""

    def __init__(self) -> None:
        self._stated = Marks()
        self._alone: dict[str, tuple[str, V]] = {}

    def stated(self, side: str, key: str, value: V) -> Met:
        """Take a side's statement, and return how it fits the other's. Of facts that both have stated, only the keys
        are kept."""
        if not self._stated.add(f"{side} {key}"):
            return "twice"
        other = self._alone.pop(key, None)
        if other is None:
            self._alone[key] = (side, value)
            return "first"
        return "agreed" if other[1] == value else "differs"

    def alone(self) -> Iterator[tuple[str, str]]:
        """The side and the key of facts that the other side has not stated."""
        return ((side, key) for key, (side, _) in self._alone.items())
