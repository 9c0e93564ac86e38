"""The error of a writer whose place another writer has taken."""

from __future__ import annotations


class Fenced(RuntimeError):
    """A newer writer has started, or has moved the head or a reader's position. Nothing was written, and everything
    that this writer holds in memory is stale."""
