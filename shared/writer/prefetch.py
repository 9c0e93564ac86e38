"""Loads the states and rows that a batch will read, in few queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from shared.projections.projection import Key, RowCache
from shared.writer.failures import FailureAttribution
from shared.writer.inputs import PendingCommand, ReceivedEvent
from shared.writer.state import WriterState


def prefetch(writer: WriterState, heard: Iterable[ReceivedEvent], tasks: Sequence[PendingCommand]) -> None:
    """Load the states that the commands are decided on, and the rows that the projection names in `reads` for these
    commands and events. Raises HandlingFailed for an event or command that cannot be read."""
    writer.cache.load(task.stream for task in tasks)
    wanted: dict[RowCache, list[Key]] = defaultdict(list)
    with FailureAttribution() as blamed:
        for event in heard:
            if event.recorded.name in writer.foreign_event_names:
                blamed.ref = event.ref
                for rows, key in writer.projection.reads(event.recorded.event):
                    wanted[rows].append(key)
        for task in tasks:
            blamed.ref = task.ref
            for rows, key in writer.projection.reads(task.command, writer.cache.get(task.stream).state):
                wanted[rows].append(key)
    for rows, keys in wanted.items():
        rows.get_many(keys)
