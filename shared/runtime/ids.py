"""New ids and random bytes: the operating system's, or seeded ones in the simulated host."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from shared.runtime.clock import system_time

# The digit that holds a UUID's variant also holds two random bits.
_VARIANT = {f"{digit:x}": f"{0x8 | digit & 0x3:x}" for digit in range(16)}


@dataclass(frozen=True)
class Ids:
    """`now` gives the time in UTC that new ids carry; `random_bytes(n)` gives n unpredictable bytes."""

    now: Callable[[], datetime] = field(default=system_time)
    random_bytes: Callable[[int], bytes] = field(default=os.urandom)

    def new_id(self) -> str:
        """A UUIDv7 (RFC 9562, 5.7) as text: 48 bits of Unix milliseconds, then 74 random bits."""
        time = f"{int(self.now().timestamp() * 1000):012x}"
        luck = self.random_bytes(10).hex()
        return f"{time[:8]}-{time[8:]}-7{luck[1:4]}-{_VARIANT[luck[4]]}{luck[5:8]}-{luck[8:]}"
