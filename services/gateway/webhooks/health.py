"""When a failed delivery is tried again or given up, and when an endpoint rests or is disabled. Pure; times are UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

PAUSES_SECONDS = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400)
TRY_FOR = timedelta(days=3)
LONGEST_WISH = timedelta(hours=1)
DOWN_FROM = 5
FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 15, 300


def next_try(tries: int, first_at: datetime, now: datetime, asked_seconds: int | None = None) -> datetime | None:
    """The time of the next attempt, after `tries` failures of which the first was at `first_at`. None gives the event
    up.

    The last attempt is three days after the first. `asked_seconds` is the receiver's `Retry-After`, of which at most an
    hour counts.
    """
    last = first_at + TRY_FOR
    if now >= last:
        return None
    pause = timedelta(seconds=PAUSES_SECONDS[min(tries, len(PAUSES_SECONDS)) - 1])
    if asked_seconds is not None:
        pause = max(pause, min(timedelta(seconds=asked_seconds), LONGEST_WISH))
    return min(now + pause, last)


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """The recent results of an endpoint: failures in a row and since when, until when it rests, and its last success.

    After `DOWN_FROM` failures in a row an endpoint counts as down. It then rests for a while after each failure, and
    its events stay in their logs meanwhile."""

    failures: int = 0
    failing_since: datetime | None = None
    resting_until: datetime | None = None
    succeeded_at: datetime | None = None

    @property
    def is_down(self) -> bool:
        return self.failures >= DOWN_FROM

    def is_resting(self, now: datetime) -> bool:
        return self.resting_until is not None and now < self.resting_until

    def succeeded(self, now: datetime) -> EndpointHealth:
        return EndpointHealth(succeeded_at=now)

    def failed(self, now: datetime) -> EndpointHealth:
        failures = self.failures + 1
        rest = None
        if failures >= DOWN_FROM:
            doubled = FIRST_REST_SECONDS * 2 ** min(failures - DOWN_FROM, 10)
            rest = now + timedelta(seconds=min(doubled, LONGEST_REST_SECONDS))
        return EndpointHealth(failures, self.failing_since or now, rest, self.succeeded_at)

    def since(self, enabled_at: datetime) -> EndpointHealth:
        """The health since the endpoint was enabled. Earlier failures no longer count."""
        if self.failing_since is not None and self.failing_since < enabled_at:
            return EndpointHealth(succeeded_at=self.succeeded_at)
        return self

    def is_given_up(self, now: datetime, after: timedelta) -> bool:
        """Whether the endpoint has failed for so long that it should be disabled."""
        return self.failing_since is not None and now - self.failing_since >= after
