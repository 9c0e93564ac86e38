"""The requests of a BrokerClient that wait for a reply."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, ClassVar

from shared.messages.messages import CommandMessage


@dataclass(eq=False, slots=True, kw_only=True)
class Request:
    """A request to the service `to`. `sent` and `until` are times of the monotonic clock; `sent` is 0 before sending.

    A request without a reply after `again_seconds` is sent again: it may have been lost with its queue.
    """

    again_seconds: ClassVar[float]

    ticket: str
    to: str
    until: float
    sent: float = 0.0
    future: Future[Any] = field(default_factory=Future)

    def is_stale(self, now: float) -> bool:
        """Whether to send it again now."""
        return 0 < self.sent < now - self.again_seconds

    def is_overdue(self, now: float) -> bool:
        """Whether to ask the broker now if the service's inbox has a consumer."""
        return False


@dataclass(eq=False, slots=True, kw_only=True)
class CommandRequest(Request):
    """A command: its future gets a Reply. After `patient_until` it fails as soon as the inbox has no consumer."""

    again_seconds: ClassVar[float] = 3.0

    patient_until: float

    message: CommandMessage

    def is_overdue(self, now: float) -> bool:
        return self.patient_until < now


@dataclass(eq=False, slots=True, kw_only=True)
class PullRequest(Request):
    """A pull: its future gets an EventBatch."""

    again_seconds: ClassVar[float] = 1.0

    after: int
    limit: int
