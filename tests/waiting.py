"""Waiting in tests: for a condition, never for a while, and with one limit for all of them."""

from __future__ import annotations

import os
from collections.abc import Callable

from deploy.local.waiting import until

SCALE = float(os.environ.get("KAMENG_TEST_PATIENCE", "1"))
"""By how much every limit is longer: more on a machine that is slow, or busy with other things."""
PATIENCE = 120.0 * SCALE
"""How many seconds what a test waits for may take. Only what will never happen takes so long."""


def wait_for(condition: Callable[[], object], what: str = "it", within: float = PATIENCE) -> None:
    """Return when the condition holds; fail when it does not `within` so many seconds."""
    assert until(lambda: bool(condition()), within), f"{what} did not happen within {within:g} s"
