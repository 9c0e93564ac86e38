"""Tracks how far the sources' logs reach, and when a reader must pull what it is missing."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

AGAIN_SECONDS = 1.0
GRACE_SECONDS = 0.1
SILENT_SECONDS = 5.0  # a log server says every second how far its log reaches


@dataclass(frozen=True, slots=True)
class PullState:
    """A pull under way: the position to read behind, and the time of the pull in seconds."""

    after: int
    at: float


class SubscriptionTracker:
    """How far the logs that one service reads are known to reach.

    Each source has at most one pull under way. It ends when the reader moves on, or after a second. `beyond`: the heads
    of sources whose log ends before the position that is applied. `held`: sources of which this code can apply no more;
    they are not pulled. `unannounced`: sources whose log server has announced nothing for SILENT_SECONDS; a batch that
    is lost on its way from them can't be pulled.
    """

    def __init__(self, sources: tuple[str, ...]) -> None:
        self.heads = dict.fromkeys(sources, 0)
        self._unsure: set[str] = set()
        self._asked: dict[str, PullState] = {}
        self._announced: dict[str, tuple[int, float | None]] = {}
        self._heard_at: dict[str, float] = {}
        self._spoke: set[str] = set()
        self.beyond: dict[str, int] = {}
        self.held: Container[str] = ()
        self._announced_at: dict[str, float] = {}
        self._announcing: set[str] = set()
        self.unannounced: frozenset[str] = frozenset()

    def batch_arrived(self, source: str, position: int) -> None:
        """A batch of a log has arrived: the log reaches at least this far."""
        if source in self.heads:
            self.heads[source] = max(self.heads[source], position)
            self._spoke.add(source)

    def head_announced(self, source: str, position: int) -> None:
        """A log server has announced its head. The writer's batches up to there may still be on their way."""
        if source in self.heads:
            self._spoke.add(source)
            self._announcing.add(source)
            if position > self.heads[source]:
                self._announced.setdefault(source, (position, None))

    def _believe(self, now: float) -> None:
        """Believe the heads that were announced GRACE_SECONDS ago: the batches up to there should have arrived."""
        for source, (position, since) in list(self._announced.items()):
            if since is None:
                self._announced[source] = position, now
            elif now - since >= GRACE_SECONDS:
                del self._announced[source]
                self.heads[source] = max(self.heads[source], position)

    def pull_once(self, source: str) -> None:
        """Pull from a source once although no event is known to be missing: the answer shows whether its log has
        changed."""
        self._unsure.add(source)

    def pull_all_once(self) -> None:
        """Pull from every source once: messages may have been lost."""
        self._unsure = set(self.heads)
        self._asked.clear()
        self._heard_at.clear()
        self._announced_at.clear()

    def find_silent(self, now: float) -> list[str]:
        """The sources that sent nothing for SILENT_SECONDS. Each is returned once in SILENT_SECONDS, and pulled."""
        found = []
        for source in self.heads:
            at = self._heard_at.get(source)
            if at is None or source in self._spoke:
                self._heard_at[source] = now
            elif now - at >= SILENT_SECONDS:
                self._heard_at[source] = now
                found.append(source)
        self._spoke.clear()
        self._look_for_announcements(now)
        self._unsure.update(found)
        return found

    def _look_for_announcements(self, now: float) -> None:
        lost = set(self.unannounced - self._announcing)
        for source in self.heads:
            if source in self._announcing:
                self._announced_at[source] = now
            elif now - self._announced_at.setdefault(source, now) >= SILENT_SECONDS:
                lost.add(source)
        self._announcing.clear()
        self.unannounced = frozenset(lost)

    def due_pulls(self, positions: Mapping[str, int], now: float) -> Iterator[tuple[str, int]]:
        """The sources to pull from now, each with the position to pull behind; `now` is in seconds."""
        self._believe(now)
        for source, head in self.heads.items():
            position, asked = positions[source], self._asked.get(source)
            if source in self.held:
                continue
            if position >= head and source not in self._unsure:
                self._asked.pop(source, None)
            elif asked is None or position > asked.after or now - asked.at >= AGAIN_SECONDS:
                self._unsure.discard(source)
                self._asked[source] = PullState(position, now)
                yield source, position

    def lag(self, positions: Mapping[str, int]) -> dict[str, int]:
        """By source, how many known events are not applied; negative when the log ends before the applied position."""
        found = {}
        for source, head in self.heads.items():
            reached = max(head, self._announced.get(source, (0,))[0]) - positions.get(source, 0)
            found[source] = self.beyond[source] - positions.get(source, 0) if source in self.beyond else max(0, reached)
        return found
