"""Days in the shop's time zone: a day begins at midnight there. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

USUAL_ZONE = "Asia/Shanghai"
_DAY = timedelta(days=1)
_NEVER = datetime.max.replace(tzinfo=UTC)


class UnknownZone(ValueError):
    """A name that is not in the time zone database."""


@lru_cache(maxsize=100)
def zone(name: str) -> ZoneInfo:
    """The time zone of this name, such as Asia/Shanghai. Raises UnknownZone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownZone("not the name of a time zone, such as Asia/Shanghai") from None


def day_of(at: datetime, where: ZoneInfo) -> date:
    """The day that an instant (aware) belongs to."""
    return at.astimezone(where).date()


def start_of(day: date, where: ZoneInfo) -> datetime:
    """The first instant of a day, in UTC; where clocks skip midnight, the moment at which they do."""
    return datetime.combine(day, time.min, where).astimezone(UTC)


def end_of(day: date, where: ZoneInfo) -> datetime:
    """The instant, in UTC, at which a day is over: the first of the next day. The last possible day has no end."""
    return start_of(day + _DAY, where) if day < date.max else _NEVER
