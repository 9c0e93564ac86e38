"""What a writer is told when it is no longer the one."""

from __future__ import annotations


class Fenced(RuntimeError):
    """Another writer has started, or moved the head or a reader's position: what this one believes is stale, nothing
    was written."""
