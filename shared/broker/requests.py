"""What a client of the broker waits for."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, ClassVar

from shared.messages.messages import CommandMessage


@dataclass(eq=False, slots=True, kw_only=True)
class Request:
    """`to` is a service; `sent` and `until` are times of the monotonic clock, 0 for not sent yet.

    What got no reply `again_seconds` after it was sent may have been lost with its queue.
    """

    again_seconds: ClassVar[float]

    ticket: str
    to: str
    until: float
    sent: float = 0.0
    future: Future[Any] = field(default_factory=Future)

    def is_stale(self, now: float) -> bool:
        """Whether it is time to send it again."""
        return 0 < self.sent < now - self.again_seconds

    def is_overdue(self, now: float) -> bool:
        """Whether it is time to ask if anybody is there."""
        return False


@dataclass(eq=False, slots=True, kw_only=True)
class CommandRequest(Request):
    """Ends with a Reply; after `patient_until`, as soon as nobody is there to give one."""

    again_seconds: ClassVar[float] = 3.0

    patient_until: float

    message: CommandMessage

    def is_overdue(self, now: float) -> bool:
        return self.patient_until < now


@dataclass(eq=False, slots=True, kw_only=True)
class PullRequest(Request):
    """Ends with a Slice."""

    again_seconds: ClassVar[float] = 1.0

    after: int
    limit: int
