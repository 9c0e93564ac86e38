"""The transport interface: how the consumer loop of one service receives and sends messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from shared.messages.wire import MessageBody


class Message(Protocol):
    """A received message: a body that `encode` made, with headers; inside one process, the decoded body itself."""

    @property
    def body(self) -> bytes | str | MessageBody | None: ...

    @property
    def headers(self) -> Mapping[str, Any] | None: ...


M = TypeVar("M", bound=Message)


class Transport(Protocol[M]):
    """Receives the messages of one service's inbox, and sends to queues and exchanges, which `topology` names.

    Messages may be lost, repeated, late and out of order. `session` identifies the current connection. A new session
    means that messages may have been lost; None means that there is no connection, and that sent messages are lost.
    A failure of the transport ends its session and raises nothing.
    """

    @property
    def session(self) -> object | None: ...

    @property
    def arrived(self) -> deque[M]:
        """Received messages, oldest first. The loop takes them out."""
        ...

    def send(self, queue: str, body: MessageBody) -> None:
        """Send to one queue."""
        ...

    def publish(self, exchange: str, body: MessageBody) -> None:
        """Send to every queue that is bound to an exchange."""
        ...

    def acknowledge(self, last: M) -> None:
        """Acknowledge this message and all before it: they are handled and need not be delivered again."""
        ...

    def rebind(self) -> None:
        """Bind the inbox to the exchanges of its sources again, because one of them is silent."""
        ...
