"""What an HTTP side needs from whichever host runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import sqlalchemy as sa

from shared.messages.messages import CommandMessage, EventBatch, Reply
from shared.runtime.clock import Clock
from shared.runtime.ids import Ids
from shared.runtime.settings import Settings
from shared.security.secrets import Secrets


class Busy(RuntimeError):
    """So much is under way that a command was not taken on."""


@dataclass(frozen=True)
class ServiceHealth:
    """A service's log head, how many events it is behind each log it reads (None: not known here), and what needs a
    person. `diverged` says which logs are not those that were read, `halted` why it decides nothing,
    `held` which logs it can't apply further; `unknown` counts, by source and type, the events that it does not know (0:
    not known here how many)."""

    head: int
    lag: Mapping[str, int] | None
    parked: int
    agenda_waiting: int
    agenda_failed: int
    diverged: Sequence[str] = ()
    halted: str = ""
    held: Sequence[str] = ()
    unknown: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class Backend(Protocol):
    """Commands go out through it; queries read the read side's own database."""

    settings: Settings
    clock: Clock
    ids: Ids
    secrets: Secrets
    reads: sa.Engine

    async def send(self, service: str, message: CommandMessage) -> Reply:
        """Hand a command to its service and wait for the reply.

        Raises TimeoutError, or NobodyDecides where that is known: the outcome is then unknown; Busy: it was not sent.
        """
        ...

    async def wait_for_position(self, source: str, position: int) -> bool:
        """Wait until the read models hold a log's events up to a position; False when that takes too long."""
        ...

    async def caught_up(self, source: str) -> bool:
        """Wait until the read models hold all that a log held when asked; False when that takes too long."""
        ...

    @property
    def revision(self) -> int:
        """Counts how often the read models have taken something in."""
        ...

    async def wait_for_change(self, since: int, seconds: float) -> bool:
        """Wait until `revision` is more than `since`; False when that takes longer."""
        ...

    async def pull(self, source: str, after: int, limit: int) -> EventBatch:
        """The events of a service's log after a position.

        Raises TimeoutError when the log server does not answer, Busy when the request was not sent.
        """
        ...

    def health(self) -> Mapping[str, ServiceHealth]:
        """How every service is doing."""
        ...
