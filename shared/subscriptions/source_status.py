"""Stores in a reader's database what is wrong with its sources, for whoever looks there."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from shared.eventstore.divergence import Divergence, SourceFault, remember
from shared.subscriptions.unknown_events import UnknownEvents


class SourceStatuses:
    """What the database holds of it, by source."""

    def __init__(self, told: Mapping[str, SourceFault] | None = None) -> None:
        self._told = {source: ailing for source, ailing in (told or {}).items() if ailing}

    def tell(self, engine: sa.Engine, diverged: Mapping[str, Divergence], unknown: UnknownEvents) -> None:
        """Store which sources are other logs, and which have events of unknown types, if that is new. Raises
        DBAPIError."""
        if not (self._told or diverged or unknown.counts):
            return
        sources = diverged.keys() | unknown.counts.keys()
        ailing = {source: _ailing(source, diverged, unknown) for source in sources}
        if self._told == ailing:
            return
        with engine.begin() as connection:
            for source in self._told.keys() | ailing.keys():
                remember(connection, source, ailing.get(source, SourceFault()))
        self._told = ailing


def _ailing(source: str, diverged: Mapping[str, Divergence], unknown: UnknownEvents) -> SourceFault:
    found, held = diverged.get(source), unknown.held.get(source)
    types = tuple(sorted(unknown.counts.get(source, ())))
    return SourceFault(found.head if found else None, str(held) if held else "", types)
