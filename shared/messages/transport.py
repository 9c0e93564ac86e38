"""The transport port: how the consumer loop of one service receives and sends messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from shared.messages.wire import Wire


class Message(Protocol):
    """A received message: what `encode` made and the headers beside it, or, inside one process, the body itself."""

    @property
    def body(self) -> bytes | str | Wire | None: ...

    @property
    def headers(self) -> Mapping[str, Any] | None: ...


M = TypeVar("M", bound=Message)


class Transport(Protocol[M]):
    """Messages for one service's inbox, and a way to send to queues and exchanges by their names (messages.topology).

    Messages may be lost, repeated, late and out of order. `session` identifies the present connection: another one
    means that messages may have been lost in between; None means that there is none, so that what is sent is lost.
    A failure of the transport ends its session and raises nothing.
    """

    @property
    def session(self) -> object | None: ...

    @property
    def arrived(self) -> deque[M]:
        """Received messages, oldest first. The loop takes them out."""
        ...

    def send(self, queue: str, body: Wire) -> None:
        """Send to one queue."""
        ...

    def publish(self, exchange: str, body: Wire) -> None:
        """Send to every queue that is bound to an exchange."""
        ...

    def acknowledge(self, last: M) -> None:
        """This message, and all before it, are handled: they need not come again."""
        ...

    def bind_again(self) -> None:
        """Bind the inbox to the exchanges of its sources again: nothing has been heard of one."""
        ...
