"""The error of a writer that another writer has fenced."""

from __future__ import annotations


class Fenced(RuntimeError):
    """A newer writer has started, or has moved the head or a reader's position. The transaction was rolled back; drop
    everything that this writer holds in memory."""
