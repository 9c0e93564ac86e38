"""Tunes Python's garbage collector for processes with large caches."""

from __future__ import annotations

import gc

THRESHOLDS = (20_000, 50, 50)


def collect_seldom() -> None:
    """Exempt all objects that exist now from garbage collection, and collect the others less often.

    Caches of states and rows are many objects with few cycles: with Python's own thresholds a process spent a fifth of
    its time traversing objects that it was going to keep.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
