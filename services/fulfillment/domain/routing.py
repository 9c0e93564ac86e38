"""Chooses the next supplier. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

TRIPS_AFTER = 5
TRIPPED_FOR = timedelta(seconds=30)
TROUBLED_AFTER = 2
TROUBLED_FOR = timedelta(minutes=5)


@dataclass(frozen=True)
class Health:
    """A supplier's record: failures in a row since its last success, and when it last failed and succeeded."""

    failures: int = 0
    failed_at: datetime | None = None
    succeeded_at: datetime | None = None

    def _failing(self, times: int, within: timedelta, now: datetime) -> bool:
        return self.failures >= times and self.failed_at is not None and now - self.failed_at < within

    def tripped(self, now: datetime) -> bool:
        """Whether it failed so often and so recently that asking it is a waste of time."""
        return self._failing(TRIPS_AFTER, TRIPPED_FOR, now)

    def troubled(self, now: datetime) -> bool:
        """Whether it failed repeatedly and recently, so that others should be asked first."""
        return self._failing(TROUBLED_AFTER, TROUBLED_FOR, now)


def in_order(suppliers: Sequence[str], health: Mapping[str, Health], now: datetime) -> list[str]:
    """The suppliers in the order to ask them: as listed, but troubled ones later, and tripped ones last."""

    def trouble(supplier: str) -> tuple[bool, int]:
        record = health.get(supplier, Health())
        return record.tripped(now), record.failures if record.troubled(now) else 0

    return sorted(dict.fromkeys(suppliers), key=trouble)
