"""The base class of laws that are checked event by event."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

from shared.contracts import Event
from shared.eventstore.recorded import RecordedEvent
from shared.laws.finding import SHOWN, Finding, Violation

Handlers: TypeAlias = Mapping[type[Event], Callable[[Any], None]]


def _silent(_violation: Violation) -> None:
    pass


class Law(ABC):
    """A law that is checked event by event.

    The events of one service come in the order of its log; there is no order between logs. `checked` counts the things
    that the law has checked.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self.checked = 0
        self.on_violation: Callable[[Violation], None] = _silent
        self._broken = 0
        self._shown: list[str] = []
        self._at: RecordedEvent | None = None

    @abstractmethod
    def handlers(self) -> Handlers:
        """The law's handler for each type of event that it hears."""

    def unfinished(self) -> Iterable[str]:
        """What must still happen. When no message is under way any more, each of these breaks the law."""
        return ()

    def overdue(self) -> Iterable[str]:
        """The unfinished things that have waited too long: they break the law even in a running system."""
        return ()

    @cached_property
    def hears(self) -> Mapping[str, frozenset[type[Event]]]:
        """The types of events that the law hears, by the service whose log holds them."""
        heard: dict[str, frozenset[type[Event]]] = {}
        for event in self.handlers():
            heard[event.owner] = heard.get(event.owner, frozenset()) | {event}
        return heard

    @cached_property
    def _by_name(self) -> dict[str, Callable[[Any], None]]:
        return {event.__name__: handler for event, handler in self.handlers().items()}

    def saw(self, recorded: RecordedEvent) -> None:
        """Check one more event that the law hears. Raises what `on_violation` raises."""
        self._at = recorded
        self._by_name[recorded.name](recorded.event)

    def broken(self, what: str) -> None:
        """Report that the current event breaks the law."""
        detail = f"{what} ({self._at.source} {self._at.position})" if self._at else what
        self._broken += 1
        if len(self._shown) < SHOWN:
            self._shown.append(detail)
        self.on_violation(Violation(self.name, detail))

    def finding(self, *, drained: bool) -> Finding:
        """The finding so far. In a running system (`drained` False), unfinished things are only counted."""
        rest = list(self.unfinished())
        if not drained:
            late = list(self.overdue())
            shown = (*self._shown, *late)[:SHOWN]
            return Finding(self.name, self.checked, self._broken + len(late), shown, len(rest) - len(late))
        shown = (*self._shown, *rest)[:SHOWN]
        return Finding(self.name, self.checked, self._broken + len(rest), shown)
