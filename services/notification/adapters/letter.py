"""A message ready to go out, and the two ways in which it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from shared.contracts.notification import MessageChannel
from shared.runtime.service import EffectFailed


class Undeliverable(Exception):
    """Another try would end the same way. The text names no address and no secret."""


class Unsent(EffectFailed):
    """This try failed; the next may not. The text names no address and no secret."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A rendered message. `id` is the same in every try, so that a receiver can tell a repeated one."""

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
    """Carries letters through one channel."""

    channel: ClassVar[MessageChannel]

    def send(self, letter: Letter) -> None:
        """Hand the letter over. Raises Undeliverable or Unsent."""
        ...
