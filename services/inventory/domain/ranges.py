"""Sets of key numbers as inclusive ranges: sorted, disjoint and never touching, so that stock in bulk stays small."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

Ranges: TypeAlias = tuple[tuple[int, int], ...]


def spans(numbers: Iterable[int]) -> Ranges:
    """The ranges that hold exactly these numbers."""
    return union((), tuple((number, number) for number in numbers))


def members(ranges: Ranges) -> Iterator[int]:
    """Every number, ascending."""
    for first, last in ranges:
        yield from range(first, last + 1)


def count(ranges: Ranges) -> int:
    return sum(last - first + 1 for first, last in ranges)


def holds(ranges: Ranges, number: int) -> bool:
    return any(first <= number <= last for first, last in ranges)


def lowest(ranges: Ranges, quantity: int) -> Ranges:
    """The `quantity` lowest numbers, all of them when there are fewer."""
    taken: list[tuple[int, int]] = []
    for first, last in ranges:
        if quantity <= 0:
            break
        last = min(last, first + quantity - 1)
        taken.append((first, last))
        quantity -= last - first + 1
    return tuple(taken)


def union(left: Ranges, right: Ranges) -> Ranges:
    merged: list[tuple[int, int]] = []
    for first, last in sorted((*left, *right)):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def common(left: Ranges, right: Ranges) -> Ranges:
    """The numbers in both."""
    shared: list[tuple[int, int]] = []
    i = j = 0
    while i < len(left) and j < len(right):
        first, last = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if first <= last:
            shared.append((first, last))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(shared)


def without(ranges: Ranges, taken: Ranges) -> Ranges:
    """The numbers of `ranges` that are not in `taken`."""
    kept: list[tuple[int, int]] = []
    i = 0
    for first, last in ranges:
        while i < len(taken) and taken[i][1] < first:
            i += 1
        j = i
        while j < len(taken) and taken[j][0] <= last:
            if first < taken[j][0]:
                kept.append((first, taken[j][0] - 1))
            first = taken[j][1] + 1
            j += 1
        if first <= last:
            kept.append((first, last))
    return tuple(kept)
