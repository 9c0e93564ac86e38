"""Time, randomness and ids come through here, so that a simulated host can own them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

# The digit that says which kind of UUID it is holds two random bits as well.
_VARIANT = {f"{digit:x}": f"{0x8 | digit & 0x3:x}" for digit in range(16)}


def _now() -> datetime:
    return datetime.now(UTC)


def steady() -> Callable[[], datetime]:
    """A clock that goes on from the time that it is now, whatever is done to the machine's clock."""
    began, ticks = _now(), time.clock_gettime(time.CLOCK_BOOTTIME)
    return lambda: began + timedelta(seconds=time.clock_gettime(time.CLOCK_BOOTTIME) - ticks)


@dataclass(frozen=True)
class Ports:
    """`now` gives the time in UTC; `random_bytes(n)` gives n unpredictable bytes.

    `reference` is what another clock says, which `now` is to agree with; None while there is none to compare with.
    """

    now: Callable[[], datetime] = field(default=_now)
    random_bytes: Callable[[int], bytes] = field(default=os.urandom)
    reference: Callable[[], datetime | None] = field(default=lambda: None)

    def new_id(self) -> str:
        """A UUIDv7 (RFC 9562, 5.7) as text: 48 bits of Unix milliseconds, then 74 random bits."""
        time = f"{int(self.now().timestamp() * 1000):012x}"
        luck = self.random_bytes(10).hex()
        return f"{time[:8]}-{time[8:]}-7{luck[1:4]}-{_VARIANT[luck[4]]}{luck[5:8]}-{luck[8:]}"
