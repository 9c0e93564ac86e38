"""The facts that decisions about orders need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.contracts.inventory import Listing
from shared.contracts.order import Step, Wait


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How long an order waits at each step, how long its stock stays reserved, and how long after its deadline a late
    payment reopens it."""

    pay_within: timedelta
    answer_within: timedelta
    review_within: timedelta
    deliver_within: timedelta
    reserve_for: timedelta
    reopen_within: timedelta

    def wait(self, step: Step, attempt: int, now: datetime) -> Wait:
        """The wait for this step that begins now."""
        within = {
            "payment": self.pay_within,
            "answers": self.answer_within,
            "review": self.review_within,
            "delivery": self.deliver_within,
        }
        return Wait(step=step, attempt=attempt, until=now + within[step])


@dataclass(frozen=True, slots=True)
class Market:
    """The listings of the ordered SKUs that exist, and the time limits."""

    listings: Mapping[str, Listing]
    time_limits: TimeLimits
