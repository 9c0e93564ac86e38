"""Attributes an error to the message whose handling raised it."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from shared.eventstore.engines import is_outage


class HandlingFailed(Exception):
    """Handling the message called `ref` raised; the cause is the `__cause__`."""

    def __init__(self, ref: str) -> None:
        super().__init__(ref)
        self.ref = ref


class FailureAttribution:
    """A context that turns an error into HandlingFailed for the message `ref`. Outages of the database and errors
    that are attributed already pass through. One context may serve many messages: set `ref` before each."""

    __slots__ = ("ref",)

    def __init__(self, ref: str = "") -> None:
        self.ref = ref

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, HandlingFailed) and not is_outage(error):
            raise HandlingFailed(self.ref) from error
