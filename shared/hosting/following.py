"""Which logs a reader is behind, and when to ask for what it misses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

AGAIN_SECONDS = 1.0
GRACE_SECONDS = 0.1
SILENT_SECONDS = 5.0  # a log server says every second how far its log reaches


@dataclass(frozen=True, slots=True)
class Asked:
    """A pull under way: the position behind which events were asked for, and when, in seconds."""

    after: int
    at: float


class Following:
    """How far the logs reach that one service reads, as far as is known.

    At most one pull a source is under way; it is over when the reader has moved on, or after a second in vain.
    """

    def __init__(self, sources: tuple[str, ...]) -> None:
        self.heads = dict.fromkeys(sources, 0)
        self._unsure: set[str] = set()
        self._asked: dict[str, Asked] = {}
        self._announced: dict[str, tuple[int, float | None]] = {}
        self._heard_at: dict[str, float] = {}
        self._spoke: set[str] = set()

    def heard(self, source: str, position: int) -> None:
        """A log reaches this far: its slices show it."""
        if source in self.heads:
            self.heads[source] = max(self.heads[source], position)
            self._spoke.add(source)

    def announced(self, source: str, position: int) -> None:
        """A log server says that its log reaches this far. The slices come from elsewhere, and may be on their way."""
        if source in self.heads:
            self._spoke.add(source)
            if position > self.heads[source]:
                self._announced.setdefault(source, (position, None))

    def _believe(self, now: float) -> None:
        """Take in what was announced a while ago."""
        for source, (position, since) in list(self._announced.items()):
            if since is None:
                self._announced[source] = position, now
            elif now - since >= GRACE_SECONDS:
                del self._announced[source]
                self.heads[source] = max(self.heads[source], position)

    def doubt(self) -> None:
        """What was sent meanwhile may be lost: ask every source once."""
        self._unsure = set(self.heads)
        self._asked.clear()
        self._heard_at.clear()

    def silent(self, now: float) -> list[str]:
        """The sources of which nothing was heard for SILENT_SECONDS, each once in so many: in doubt, they are asked."""
        found = []
        for source in self.heads:
            at = self._heard_at.get(source)
            if at is None or source in self._spoke:
                self._heard_at[source] = now
            elif now - at >= SILENT_SECONDS:
                self._heard_at[source] = now
                found.append(source)
        self._spoke.clear()
        self._unsure.update(found)
        return found

    def to_pull(self, positions: Mapping[str, int], now: float) -> Iterator[tuple[str, int]]:
        """The sources to pull from now, each with the position to pull behind; `now` is in seconds."""
        self._believe(now)
        for source, head in self.heads.items():
            position, asked = positions[source], self._asked.get(source)
            if position >= head and source not in self._unsure:
                self._asked.pop(source, None)
            elif asked is None or position > asked.after or now - asked.at >= AGAIN_SECONDS:
                self._unsure.discard(source)
                self._asked[source] = Asked(position, now)
                yield source, position

    def lag(self, positions: Mapping[str, int]) -> dict[str, int]:
        """How many events of each source are known and not applied."""
        heads = {source: max(head, self._announced.get(source, (0,))[0]) for source, head in self.heads.items()}
        return {source: max(0, head - positions.get(source, 0)) for source, head in heads.items()}
