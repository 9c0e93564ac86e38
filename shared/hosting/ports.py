"""Time, randomness and ids come through here, so that a simulated host can own them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Ports:
    """`now` gives the time in UTC; `random_bytes(n)` gives n unpredictable bytes."""

    now: Callable[[], datetime] = field(default=_now)
    random_bytes: Callable[[int], bytes] = field(default=os.urandom)

    def new_id(self) -> str:
        """A UUIDv7 (RFC 9562, 5.7) as text: 48 bits of Unix milliseconds, then 74 random bits."""
        time, random = f"{int(self.now().timestamp() * 1000):012x}", self.random_bytes(10).hex()
        return f"{time[:8]}-{time[8:]}-7{random[1:4]}-{VARIANT[random[4]]}{random[5:8]}-{random[8:]}"
