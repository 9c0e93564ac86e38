"""PositionLost: the event that fills lost positions in any service's log after healing."""

from __future__ import annotations

from typing import Annotated

from shared.contracts.base import At, Doc, Event, Id

# The type of aggregate that a stream is of, by the key of its events.
AGGREGATES = {"log": "log"}


class PositionLost(Event, key="log", owner=""):
    """The event at this position was lost with a database and can't be recovered. It changes no state.

    It takes up the position, so that no other event gets it. The log of the service `log` was restored from a backup up
    to position `kept`, whose event was recorded at `since`. Readers or subscribers knew events up to position `upto`.
    """

    log: Annotated[Id, Doc("The service whose log it is.", "order")]
    kept: Annotated[int, Doc("The last position before the loss.", 40)]
    upto: Annotated[int, Doc("The last position that is lost.", 45)]
    since: Annotated[At, Doc("When the event at `kept` was recorded; the lost ones are later.", "2026-01-01T08:00:00Z")]
