"""Every exchange and queue of the cluster, in one place.

None is durable but the exchange for the outside: what is lost is pulled from the logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

EVENTS = "kameng.events"  # a durable topic exchange: what publishers tell the outside
QUEUE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Queue:
    """A classic queue; past `QUEUE_BYTES` the oldest messages are dropped."""

    name: str
    bound_to: tuple[str, ...] = ()
    exclusive: bool = False

    @property
    def arguments(self) -> dict[str, Any]:
        return {"x-max-length-bytes": QUEUE_BYTES, "x-overflow": "drop-head"}


def log_exchange(source: str) -> str:
    """The fanout exchange that a service's log server publishes slices and heads to."""
    return f"kameng.log.{source}"


def inbox(service: str, sources: tuple[str, ...]) -> Queue:
    """Where a service's writer hears commands, and slices and heads of the logs it reads."""
    return Queue(f"kameng.inbox.{service}", tuple(log_exchange(source) for source in sources))


def pulls(service: str) -> Queue:
    """Where a service's log server is asked for what a reader misses."""
    return Queue(f"kameng.pulls.{service}")


def replies(caller: str) -> Queue:
    """Where one process hears replies; gone with its connection."""
    return Queue(f"kameng.replies.{caller}", exclusive=True)


def event_key(source: str, type_: str) -> str:
    """The routing key at EVENTS of a service's events of a type: `order.OrderPlaced.v1`."""
    return f"{source}.{type_}"
