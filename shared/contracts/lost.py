"""PositionLost: the event that fills lost positions in any service's log after healing."""

from __future__ import annotations

from typing import Annotated

from shared.contracts.base import At, Doc, Event, Id

# What a stream is called by, by the key of its events.
AGGREGATES = {"log": "log"}


class PositionLost(Event, key="log", owner=""):
    """What stood at this position was lost with a database, and nobody can know it any more. Nothing follows from it.

    It keeps the position from being given to another event: the log of the service `log` was restored up to `kept`,
    whose event is of the time `since`, and others had heard of events up to `upto`.
    """

    log: Annotated[Id, Doc("The service whose log it is.", "order")]
    kept: Annotated[int, Doc("The last position before the loss.", 40)]
    upto: Annotated[int, Doc("The last position that is lost.", 45)]
    since: Annotated[At, Doc("When the event at `kept` was recorded: what is lost is younger.", "2026-01-01T08:00:00Z")]
