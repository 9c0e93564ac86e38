"""Subscribe to what happens in Kameng: typed events, each once, from the first on."""

from kameng_subscriber import events
from kameng_subscriber.amqp import Queue
from kameng_subscriber.dead import DeadLetter, DeadLetters
from kameng_subscriber.errors import (
    HandlerFailed,
    Later,
    LogLost,
    Misconfigured,
    SubscriberError,
    Unavailable,
    Unreadable,
)
from kameng_subscriber.event import Event, from_message, from_structured
from kameng_subscriber.feed import Feed
from kameng_subscriber.place import MemoryPlace, Place, SqlitePlace
from kameng_subscriber.subscriber import Subscriber

__all__ = [
    "DeadLetter",
    "DeadLetters",
    "Event",
    "Feed",
    "HandlerFailed",
    "Later",
    "LogLost",
    "MemoryPlace",
    "Misconfigured",
    "Place",
    "Queue",
    "SqlitePlace",
    "Subscriber",
    "SubscriberError",
    "Unavailable",
    "Unreadable",
    "events",
    "from_message",
    "from_structured",
]
