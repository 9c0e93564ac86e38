"""Every exchange and queue of the cluster, in one place.

No message is, but those for the outside and the publishers' marks: what else is lost is pulled from the logs. Queues
are durable or exclusive, for RabbitMQ 4.x gives up others: it can be told to refuse them, and will by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

EVENTS = "kameng.events"  # a durable topic exchange: what publishers tell the outside
_INBOX = "kameng.inbox."
QUEUE_BYTES = 64 * 1024 * 1024
# The broker's answers to declaring a queue that is there, but declared otherwise by an older version, or on a node that
# is down. What is in it is not needed: it is deleted and declared anew.
NOT_FOUND, PRECONDITION_FAILED = 404, 406
OUTDATED = frozenset({NOT_FOUND, PRECONDITION_FAILED})


@dataclass(frozen=True, slots=True)
class Queue:
    """A classic queue; past `QUEUE_BYTES`, or `most` messages, the oldest are dropped."""

    name: str
    bound_to: tuple[str, ...] = ()
    exclusive: bool = False
    most: int | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """How it is declared, as the AMQP libraries name that."""
        arguments: dict[str, Any] = {"x-max-length-bytes": QUEUE_BYTES, "x-overflow": "drop-head"}
        if self.most is not None:
            arguments["x-max-length"] = self.most
        return {
            "durable": not self.exclusive,
            "exclusive": self.exclusive,
            "auto_delete": False,
            "arguments": arguments,
        }


def log_exchange(source: str) -> str:
    """The fanout exchange that a service's writer publishes slices to, and its log server heads."""
    return f"kameng.log.{source}"


def shown_exchange(reader: str) -> str:
    """The fanout exchange that a writer tells how far it has come, when others query its tables."""
    return f"kameng.shown.{reader}"


def inbox(service: str, sources: tuple[str, ...]) -> Queue:
    """Where a service's writer hears commands, and slices and heads of the logs it reads."""
    return Queue(f"{_INBOX}{service}", tuple(log_exchange(source) for source in sources))


def reader_of(queue: str) -> str:
    """Whose inbox a queue is; empty for any other queue."""
    return queue.removeprefix(_INBOX) if queue.startswith(_INBOX) else ""


def pulls(service: str) -> Queue:
    """Where a service's log server is asked for what a reader misses."""
    return Queue(f"kameng.pulls.{service}")


def mark(service: str) -> Queue:
    """Where a service's publisher keeps how far it has told the outside, in one durable message: not in the database,
    which may be restored from a backup."""
    return Queue(f"kameng.mark.{service}", most=1)


def replies(caller: str, reader: str = "") -> Queue:
    """Where one process hears replies, and how far `reader` has come; gone with its connection."""
    bound_to = (shown_exchange(reader),) if reader else ()
    return Queue(f"kameng.replies.{caller}", bound_to, exclusive=True)


def event_key(source: str, type_: str) -> str:
    """The routing key at EVENTS of a service's events of a type: its owner and its type with a dot between them."""
    return f"{source}.{type_}"
