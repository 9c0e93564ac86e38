"""Waiting for a condition, with a deadline and an error that says why."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

POLL_SECONDS = 0.05
LINES_SHOWN = 15


class InfrastructureError(Exception):
    """A server can't be had, started or stopped; the message says what to do or shows the end of its log."""


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true within `seconds`; asked at least once."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def with_tail(message: str, log: Path) -> str:
    """The message, followed by the last lines of a log."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-LINES_SHOWN:]
    except FileNotFoundError:
        lines = []
    return "\n  ".join([f"{message}. The end of {log}:", *(lines or ["(nothing was written)"])])
