"""Attributes an error to the message whose handling raised it."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from shared.eventstore.engines import is_outage


class HandlingFailed(Exception):
    """The handling of message `ref` raised an error, which is the `__cause__`."""

    def __init__(self, ref: str) -> None:
        super().__init__(ref)
        self.ref = ref


class FailureAttribution:
    """A context manager that raises HandlingFailed for the message `ref` when its body raises. Database outages and
    HandlingFailed pass through. One object may serve many messages: set `ref` before each."""

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
