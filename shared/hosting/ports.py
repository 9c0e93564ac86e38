"""Time, randomness and ids come through here, so that a simulated host can own them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Ports:
    """`now` gives the time in UTC; `random_bytes(n)` gives n unpredictable bytes."""

    now: Callable[[], datetime] = field(default=_now)
    random_bytes: Callable[[int], bytes] = field(default=os.urandom)

    def new_id(self) -> str:
        """A UUIDv7 (RFC 9562, 5.7) as text: 48 bits of Unix milliseconds, then 74 random bits."""
        milliseconds = int(self.now().timestamp() * 1000)
        bits = (milliseconds << 80) | int.from_bytes(self.random_bytes(10))
        bits = bits & ~(0xF << 76) | (0x7 << 76)
        text = f"{bits & ~(0x3 << 62) | (0x2 << 62):032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
