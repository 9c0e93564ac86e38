"""The exchanges and queues of the cluster, by name.

Only events for subscribers and publishers' marks are durable messages; whatever else is lost is pulled from the logs.
Queues are durable or exclusive, since RabbitMQ 4.x deprecates all others and may refuse them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

EVENTS = "kameng.events"  # a durable topic exchange: publishers send events for subscribers to it
_INBOX = "kameng.inbox."
QUEUE_BYTES = 64 * 1024 * 1024
# The broker's reply codes when a queue exists with other settings (an older version declared it), or on a node that is
# down. Its messages are not needed: it is deleted and declared anew.
NOT_FOUND, PRECONDITION_FAILED = 404, 406
OUTDATED = frozenset({NOT_FOUND, PRECONDITION_FAILED})


@dataclass(frozen=True, slots=True)
class Queue:
    """A classic queue. Beyond QUEUE_BYTES, or `most` messages, the broker drops the oldest."""

    name: str
    bound_to: tuple[str, ...] = ()
    exclusive: bool = False
    most: int | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of `queue.declare`, as AMQP libraries name them."""
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
    """The fanout exchange of a log: its writer publishes batches to it, its log server announces the head there."""
    return f"kameng.log.{source}"


def shown_exchange(reader: str) -> str:
    """The fanout exchange to which the writer of a read side publishes its ReadModelPosition."""
    return f"kameng.shown.{reader}"


def inbox(service: str, sources: tuple[str, ...]) -> Queue:
    """The queue from which a service's writer takes commands, and batches and heads of the logs it reads."""
    return Queue(f"{_INBOX}{service}", tuple(log_exchange(source) for source in sources))


def reader_of(queue: str) -> str:
    """The service whose inbox a queue is; empty for another kind of queue."""
    return queue.removeprefix(_INBOX) if queue.startswith(_INBOX) else ""


def pulls(service: str) -> Queue:
    """The queue from which a service's log server takes pulls."""
    return Queue(f"kameng.pulls.{service}")


def mark(service: str) -> Queue:
    """The queue in which a service's publisher keeps how far it has published, as one durable message. The database
    does not keep it, since it may be restored from a backup."""
    return Queue(f"kameng.mark.{service}", most=1)


def replies(caller: str, reader: str = "") -> Queue:
    """The queue from which one process takes replies, and the ReadModelPosition of `reader`. It ends with the
    connection."""
    bound_to = (shown_exchange(reader),) if reader else ()
    return Queue(f"kameng.replies.{caller}", bound_to, exclusive=True)


def event_key(source: str, type_: str) -> str:
    """The routing key of an event at EVENTS: `<service>.<type>`."""
    return f"{source}.{type_}"
