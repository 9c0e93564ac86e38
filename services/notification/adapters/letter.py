"""A rendered message, and the two errors of sending it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from shared.contracts.notification import MessageChannel
from shared.runtime.service import EffectFailed


class Undeliverable(Exception):
    """Another try would fail as well. The text names no address and no secret."""


class Unsent(EffectFailed):
    """This try failed; another one may succeed. The text names no address and no secret."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A rendered message. `id` is the same in every try, so that a receiver can recognize a repetition."""

    id: str
    to: str
    template: str
    locale: str
    subject: str
    text: str
    params: Mapping[str, str | int]
    order_id: str | None
    queued_at: str


class Sender(Protocol):
    """Sends letters through one channel."""

    channel: ClassVar[MessageChannel]

    def send(self, letter: Letter) -> None:
        """Send the letter. Raises Undeliverable or Unsent."""
        ...
