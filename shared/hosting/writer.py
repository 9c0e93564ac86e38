"""The writer: the only one that decides for a service and appends to its log. It has no thread and no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import structlog

from shared.eventlog import log
from shared.eventlog.engines import is_outage
from shared.hosting.desk import Desk
from shared.hosting.service import EffectFailed
from shared.hosting.unit import Guilty, Unit
from shared.hosting.work import Due, Outcome, Work, joined, ref_of, split
from shared.messaging.port import Slice

TRIES = 3
logger = structlog.get_logger()


class Writer(Desk):
    """Decides for one service on one database.

    `process` is one group commit: it takes whatever has arrived, decides each message in memory, and writes reader
    positions, events, tables, agenda, command ids and head in one transaction. A message that can't be handled is
    tried again, then parked; the others of its batch are not held up. Errors of the database are raised, with nothing
    changed: offer the same work again. Raises log.Fenced when another writer was here.
    """

    def process(self, works: Sequence[Work]) -> Outcome:
        """One group commit of everything given, in order, and of what the agenda has due; none when it is of no use."""
        if works and self.pass_over(works):
            return Outcome()
        return self._process([*works, Due()], {})

    def _process(self, works: Sequence[Work], condemned: dict[str, str]) -> Outcome:
        tries: Counter[str] = Counter()
        while True:
            try:
                return self._attempt(works, condemned)
            except Guilty as guilty:
                tries[guilty.ref] += 1
                if tries[guilty.ref] >= TRIES:
                    error = describe(guilty.__cause__)
                    logger.warning("message can't be handled", service=self.service.name, ref=guilty.ref, error=error)
                    condemned[guilty.ref] = error
            except Exception as error:
                if isinstance(error, log.Fenced) or is_outage(error):
                    raise
                parts = works if len(works) > 1 else split(works[0])
                if len(parts) > 1:
                    return self._process_halves(parts)
                ref, message = ref_of(parts[0]), describe(error)
                if ref in condemned:
                    raise
                logger.warning("message can't be handled", service=self.service.name, ref=ref, error=message)
                condemned[ref] = message

    def _process_halves(self, works: Sequence[Work]) -> Outcome:
        """The whole can't be written and nobody knows why: what can't be written alone is the cause."""
        middle = len(works) // 2
        return joined(self._process(works[:middle], {}), self._process(works[middle:], {}))

    def _attempt(self, works: Iterable[Work], condemned: dict[str, str]) -> Outcome:
        self.recover()
        unit = Unit(self, max(self.ports.now(), self.head.at), condemned)
        try:
            with self.engine.begin() as connection, self.at(connection):
                unit.run(works)
                for source, (before, after) in unit.moved.items():
                    log.move_reader(connection, source, before, after)
                self.flush()
                head = log.append(connection, self.head, unit.events)
        except BaseException as error:
            self.forget(in_doubt=not isinstance(error, Guilty))
            raise
        self.committed(head, {source: after for source, (_, after) in unit.moved.items()})
        if unit.events:
            unit.outcome.published = Slice(self.service.name, unit.events[0].position, head.position, unit.events)
        return unit.outcome


def describe(error: BaseException | None) -> str:
    """An error for people, without the values that it was about: they may be secret. An EffectFailed tells its own."""
    if error is None:
        return "unknown"
    if isinstance(error, EffectFailed):
        return str(error)
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append(f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__name__} at {' > '.join(frames[-3:])}"
