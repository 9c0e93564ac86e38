"""The writer of a service: one group commit decides commands, appends events and updates the projection."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence

import structlog
from sqlalchemy.exc import DBAPIError

from shared.eventstore import log
from shared.eventstore.disk_space import has_room, trouble
from shared.eventstore.engines import is_outage
from shared.messages.messages import (
    HALTED,
    CommandMessage,
    EventBatch,
    Reply,
)
from shared.runtime.service import EffectFailed
from shared.writer.failures import HandlingFailed
from shared.writer.inputs import (
    CallDone,
    CallFailed,
    CommitResult,
    DueCommands,
    Input,
    joined,
    ref_of,
    split,
)
from shared.writer.state import WriterState
from shared.writer.unit_of_work import UnitOfWork

TRIES = 3
ROOM_SECONDS = 1.0
logger = structlog.get_logger()


class Writer(WriterState):
    """The writer of one service on one database.

    `process` is one group commit: it decides each input in memory and writes reader positions, events, projections,
    scheduled items, command ids with replies, and the head in one transaction. An input that cannot be handled is tried
    three times and then parked; the others of its batch go on. Errors of the database are raised with nothing changed:
    call it again with the same inputs. Raises log.Fenced when a newer writer has taken over.
    While the writer is `halted` it changes nothing, and answers commands with `failed`.
    """

    def process(self, inputs: Sequence[Input]) -> CommitResult:
        """Commit these inputs, in order, and the scheduled commands that are due. Commits nothing when nothing would
        change."""
        if self.halted:
            return self._not_decided(inputs)
        if inputs and self.pass_over(inputs):
            return CommitResult()
        inputs, self._kept = [*self._kept, *inputs], []
        try:
            return self._process([*inputs, DueCommands()], {})
        except DBAPIError as error:
            if not (full := trouble(error, self.engine.url)):
                raise
            self.halt_for_space(full)
            return self._not_decided(inputs)

    def look_for_room(self) -> None:
        """While the database's disk is full, try once a second to write. Call it at every turn of the loop."""
        if not self.full or time.monotonic() < self._room_looked_for + ROOM_SECONDS:
            return
        if has_room(self.engine):
            logger.warning("there is room again", service=self.service.name)
            self.full = ""
        self._room_looked_for = time.monotonic()

    def halt_for_space(self, full: str) -> None:
        """Halt because the database's disk is full, until `look_for_room` can write again."""
        logger.critical("nothing can be written", service=self.service.name, reason=full)
        self.full, self._room_looked_for = full, time.monotonic()

    def _not_decided(self, inputs: Sequence[Input]) -> CommitResult:
        """Answer the commands with `failed`. Batches of events are dropped, for the readers pull them again. Results
        of external calls are kept while the disk is full, since a call whose result is lost is made again."""
        if self.full:
            self._kept += [work for work in inputs if isinstance(work, CallDone | CallFailed)]
        reply = Reply("failed", self.service.name, self.head.position, code=HALTED, detail=self.halted, status=503)
        return CommitResult(replies=[(work, reply) for work in inputs if isinstance(work, CommandMessage)])

    def _process(self, inputs: Sequence[Input], poisoned: dict[str, str]) -> CommitResult:
        tries: Counter[str] = Counter()
        while True:
            try:
                return self._attempt(inputs, poisoned)
            except HandlingFailed as guilty:
                tries[guilty.ref] += 1
                if tries[guilty.ref] >= TRIES:
                    error = describe(guilty.__cause__)
                    logger.warning("message can't be handled", service=self.service.name, ref=guilty.ref, error=error)
                    poisoned[guilty.ref] = error
            except Exception as error:
                if isinstance(error, log.Fenced) or is_outage(error):
                    raise
                parts = inputs if len(inputs) > 1 else split(inputs[0])
                if len(parts) > 1:
                    return self._process_halves(parts)
                ref, message = ref_of(parts[0]), describe(error)
                if ref in poisoned:
                    raise
                logger.warning("message can't be handled", service=self.service.name, ref=ref, error=message)
                poisoned[ref] = message

    def _process_halves(self, inputs: Sequence[Input]) -> CommitResult:
        """Commit the two halves of a batch that cannot be written and whose cause is unknown. Repeated halving finds
        the input that cannot be written alone."""
        middle = len(inputs) // 2
        return joined(self._process(inputs[:middle], {}), self._process(inputs[middle:], {}))

    def _attempt(self, inputs: Iterable[Input], poisoned: dict[str, str]) -> CommitResult:
        self.recover()
        now = self.clock.now()
        unit = UnitOfWork(self, now, max(now, self.head.at), poisoned)
        try:
            with self.engine.begin() as connection, self.at(connection):
                unit.run(inputs)
                for source, (before, after) in unit.moved.items():
                    log.move_reader(connection, source, before, after, unit.hash_at(source))
                self.flush()
                head = log.append(connection, self.head, unit.events)
        except BaseException as error:
            self.forget(in_doubt=not isinstance(error, HandlingFailed))
            raise
        before = self.head
        self.unknown.met(unit.unknown, unit.held)
        self.committed(head, {source: after for source, (_, after) in unit.moved.items()}, unit.hashes)
        if unit.events:
            first = unit.events[0].position
            unit.result.published = EventBatch(
                self.service.name, first, head.position, unit.events, before.hash, head.hash
            )
        return unit.result


def describe(error: BaseException | None) -> str:
    """An error as text for people: its type and place, without values, which may be secret. An EffectFailed has its own
    text."""
    if error is None:
        return "unknown"
    if isinstance(error, EffectFailed):
        return str(error)
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append(f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__name__} at {' > '.join(frames[-3:])}"
