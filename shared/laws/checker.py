"""LawChecker: passes each event to the laws that hear it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

from shared.eventstore.recorded import RecordedEvent
from shared.laws.finding import Finding, Violation
from shared.laws.law import Law

KEPT = 100
L = TypeVar("L", bound=Law)


class LawChecker:
    """Checks new laws of the given kinds. `on_violation` is called with each violation at once, and may raise.

    `saw` needs the events of each log in order; the logs may be interleaved in any way. Events that no law hears are
    not decoded.
    """

    def __init__(
        self, laws: Iterable[Callable[[], Law]], on_violation: Callable[[Violation], None] | None = None
    ) -> None:
        self.laws = [law() for law in laws]
        self._on_violation = on_violation
        self._newest: deque[Violation] = deque(maxlen=KEPT)
        self._heard: dict[tuple[str, str], tuple[Law, ...]] = {}
        for law in self.laws:
            law.on_violation = self._violated

    def saw(self, recorded: RecordedEvent) -> None:
        """Check one more event of a log. Raises what `on_violation` raises."""
        laws = self._heard.get((recorded.source, recorded.type))
        if laws is None:
            laws = self._learn(recorded)
        for law in laws:
            law.saw(recorded)

    def _learn(self, recorded: RecordedEvent) -> tuple[Law, ...]:
        """The laws that hear events of this stored type, in any version."""
        laws = tuple(
            law
            for law in self.laws
            if any(event.__name__ == recorded.name for event in law.hears.get(recorded.source, ()))
        )
        self._heard[recorded.source, recorded.type] = laws
        return laws

    def _violated(self, violation: Violation) -> None:
        self._newest.append(violation)
        if self._on_violation is not None:
            self._on_violation(violation)

    @property
    def violations(self) -> list[Violation]:
        """The latest violations, the newest last."""
        return list(self._newest)

    def law(self, kind: type[L]) -> L:
        """The law of this kind. Raises LookupError when it is not watched."""
        for law in self.laws:
            if isinstance(law, kind):
                return law
        raise LookupError(f"{kind.__name__} is not watched")

    def findings(self, *, drained: bool) -> list[Finding]:
        """The finding of each law. `drained`: no message is under way, so everything must have ended."""
        return [law.finding(drained=drained) for law in self.laws]
