"""When Python looks for garbage."""

from __future__ import annotations

import gc

THRESHOLDS = (20_000, 50, 50)


def collect_seldom() -> None:
    """What exists now stays: code, declarations, caches. It is looked through no more, and the rest seldom.

    A process that keeps states and rows in memory has many objects and makes few cycles of them: with Python's own
    thresholds it spent a fifth of its time looking through what it was going to keep.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
