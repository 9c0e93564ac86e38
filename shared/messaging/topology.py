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
    """The fanout exchange that a service's writer publishes slices to, and its log server heads."""
    return f"kameng.log.{source}"


def shown_exchange(reader: str) -> str:
    """The fanout exchange that a writer tells how far it has come, when others query its tables."""
    return f"kameng.shown.{reader}"


def inbox(service: str, sources: tuple[str, ...]) -> Queue:
    """Where a service's writer hears commands, and slices and heads of the logs it reads."""
    return Queue(f"kameng.inbox.{service}", tuple(log_exchange(source) for source in sources))


def pulls(service: str) -> Queue:
    """Where a service's log server is asked for what a reader misses."""
    return Queue(f"kameng.pulls.{service}")


def replies(caller: str, reader: str = "") -> Queue:
    """Where one process hears replies, and how far `reader` has come; gone with its connection."""
    bound_to = (shown_exchange(reader),) if reader else ()
    return Queue(f"kameng.replies.{caller}", bound_to, exclusive=True)


def event_key(source: str, type_: str) -> str:
    """The routing key at EVENTS of a service's events of a type: `order.OrderPlaced.v1`."""
    return f"{source}.{type_}"
