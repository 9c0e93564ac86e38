"""The clock of a host: the machine's, or a virtual one in the simulated host."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


def system_time() -> datetime:
    """What the machine's clock says, in UTC."""
    return datetime.now(UTC)


def steady() -> Callable[[], datetime]:
    """A clock that starts at the machine's time and goes on even when somebody sets the machine's clock."""
    began, ticks = system_time(), time.clock_gettime(time.CLOCK_BOOTTIME)
    return lambda: began + timedelta(seconds=time.clock_gettime(time.CLOCK_BOOTTIME) - ticks)


@dataclass(frozen=True)
class Clock:
    """`now` gives the time in UTC. `reference` gives the time of another clock to compare it with; None while there
    is none."""

    now: Callable[[], datetime] = field(default=system_time)
    reference: Callable[[], datetime | None] = field(default=lambda: None)
