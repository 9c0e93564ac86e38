"""What stands in any service's log where events were lost."""

from __future__ import annotations

from shared.contracts.base import At, Event, Id


class PositionLost(Event, key="log", owner=""):
    """What stood at this position was lost with a database, and nobody can know it any more. Nothing follows from it.

    It keeps the position from being given to another event: the log of the service `log` was restored up to `kept`,
    whose event is of the time `since`, and others had heard of events up to `upto`.
    """

    log: Id
    kept: int
    upto: int
    since: At
