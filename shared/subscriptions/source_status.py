"""Stores what is wrong with a reader's sources in its database, for `kameng status` and the API."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from shared.eventstore.divergence import Divergence, SourceFault, remember
from shared.subscriptions.unknown_events import UnknownEvents


class SourceStatuses:
    """The faults by source, as the database holds them."""

    def __init__(self, stored: Mapping[str, SourceFault] | None = None) -> None:
        self._stored = {source: fault for source, fault in (stored or {}).items() if fault}

    def store(self, engine: sa.Engine, diverged: Mapping[str, Divergence], unknown: UnknownEvents) -> None:
        """Store which sources have diverged, and which have events of unknown types, if that has changed. Raises
        DBAPIError."""
        if not (self._stored or diverged or unknown.counts):
            return
        sources = diverged.keys() | unknown.counts.keys()
        faults = {source: _fault(source, diverged, unknown) for source in sources}
        if self._stored == faults:
            return
        with engine.begin() as connection:
            for source in self._stored.keys() | faults.keys():
                remember(connection, source, faults.get(source, SourceFault()))
        self._stored = faults


def _fault(source: str, diverged: Mapping[str, Divergence], unknown: UnknownEvents) -> SourceFault:
    found, held = diverged.get(source), unknown.held.get(source)
    types = tuple(sorted(unknown.counts.get(source, ())))
    return SourceFault(found.head if found else None, str(held) if held else "", types)
