"""The interface that an HTTP process needs from its host: send commands, query read models, ask for health."""

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
    """Too many requests are under way: the command was not sent."""


@dataclass(frozen=True)
class ServiceHealth:
    """A service's log head, how many events it is behind each source (None: not known here), and what needs a person.

    `diverged`: the logs that are not those that were applied, as texts. `halted`: why the service decides nothing.
    `held`: the sources that it can't apply further, as texts. `unknown`: by source and type, how many events of types
    that it does not know (0: the count is not known here).
    """

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
    """Sends commands to services; `reads` opens the read side's database for queries."""

    settings: Settings
    clock: Clock
    ids: Ids
    secrets: Secrets
    reads: sa.Engine

    async def send(self, service: str, message: CommandMessage) -> Reply:
        """Send a command to its service and wait for the reply.

        Raises TimeoutError, or its subclass NobodyDecides: the outcome is unknown. Raises Busy: it was not sent.
        """
        ...

    async def wait_for_position(self, source: str, position: int) -> bool:
        """Wait until the read models hold a log's events up to a position; False when that takes too long."""
        ...

    async def caught_up(self, source: str) -> bool:
        """Wait until the read models hold all events that a log has now; False when that takes too long."""
        ...

    @property
    def revision(self) -> int:
        """How often the read models have changed."""
        ...

    async def wait_for_change(self, since: int, seconds: float) -> bool:
        """Wait until `revision` is more than `since`; False when that takes longer."""
        ...

    async def pull(self, source: str, after: int, limit: int) -> EventBatch:
        """At most `limit` events of a service's log behind position `after`.

        Raises TimeoutError when the log server does not answer, Busy when the request was not sent.
        """
        ...

    def health(self) -> Mapping[str, ServiceHealth]:
        """The health of every service by name."""
        ...
