"""Bugs of what every service stands on: the log, commits, positions, replies, time-outs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from shared.contracts import (
    Metadata,
    Plan,
    Refused,
    ScheduleCommand,
)
from shared.contracts.inventory import StockReserved
from shared.contracts.order import MeetDeadline, OrderCancelled, PlaceOrder
from shared.eventstore import log, schema
from shared.eventstore.log import Head
from shared.eventstore.recorded import RecordedEvent
from shared.messages.messages import CommandMessage, EventBatch
from shared.projections.projection import RowCache
from shared.scheduler.scheduler import Scheduler
from shared.writer.aggregate_cache import AggregateCache
from shared.writer.inputs import (
    CommitResult,
    Input,
    PendingCommand,
    ReceivedEvent,
)
from shared.writer.state import WriterState
from shared.writer.unit_of_work import UnitOfWork
from shared.writer.writer import Writer
from tests.simulation.planted.registry import planted, together


@planted("Drained", "PaidTerminal", "RebuildEqual")
def a_position_moves_without_its_events() -> AbstractContextManager[Any]:
    take = UnitOfWork._take

    def _take(self: UnitOfWork, event: ReceivedEvent) -> None:
        if event.recorded.position % 7:
            take(self, event)

    return patch.object(UnitOfWork, "_take", _take)


@planted("Drained", "PaidTerminal", "RebuildEqual")
def a_slice_is_accepted_over_a_gap() -> AbstractContextManager[Any]:
    def _new_events(self: UnitOfWork, work: Input) -> Iterator[RecordedEvent]:
        if not isinstance(work, EventBatch):
            return
        before, reached = self.moved.get(work.source) or (self.writer.stored[work.source],) * 2
        if work.last > reached:
            self.moved[work.source], self.hashes[work.source] = (before, work.last), work.hash
            yield from (it for it in work.events if it.position > reached and it.name in self.writer.heard)

    return patch.object(UnitOfWork, "_new_events", _new_events)


@planted("IdempotentSame")
def a_command_id_is_forgotten() -> AbstractContextManager[Any]:
    def _remembered(self: UnitOfWork, message: CommandMessage) -> None:
        return None

    return patch.object(UnitOfWork, "_remembered", _remembered)


@contextmanager
def _replying_early() -> Iterator[None]:
    last: list[CommitResult] = []
    run, attempt = UnitOfWork.run, Writer._attempt

    def remember(self: UnitOfWork, works: list[Input]) -> None:
        run(self, works)
        last.append(self.result)

    def _attempt(self: Writer, works: list[Input], condemned: dict[str, str]) -> CommitResult:
        last.clear()
        try:
            return attempt(self, works, condemned)
        except OperationalError:
            if not last:
                raise
            return last[-1]

    with patch.object(UnitOfWork, "run", remember), patch.object(Writer, "_attempt", _attempt):
        yield


@planted("AckDurable")
def replies_do_not_wait_for_the_commit() -> AbstractContextManager[Any]:
    return _replying_early()


@planted(
    "RebuildEqual", "NoOversell", "KeyOnce", "OneCapture", "OnePurchase", "PaidTerminal", "EvidenceSettled", "Drained",
    "ScreenedOnly",
)  # fmt: skip
def two_writers_are_let_through() -> AbstractContextManager[Any]:
    """The position is taken? Then the next one. The reader is elsewhere? Then it goes where we say."""
    append = log.append

    def renumbered(connection: sa.Connection, before: Head, events: list[RecordedEvent]) -> Head:
        head = log.read_head(connection)
        versions = sa.select(sa.func.max(schema.log.c.version))
        for number, recorded in enumerate(events, start=1):
            recorded.position = head.position + number
            known = connection.execute(versions.where(schema.log.c.stream == recorded.stream)).scalar_one() or 0
            earlier = sum(other.stream == recorded.stream for other in events[: number - 1])
            recorded.version = known + earlier + 1
        return append(connection, head, events)

    def moved(connection: sa.Connection, source: str, before: int, after: int, hash_: bytes) -> None:
        here = sa.update(schema.readers).where(schema.readers.c.source == source)
        connection.execute(here.values(position=after, hash=hash_ or None))

    return together(patch.object(log, "append", renumbered), patch.object(log, "move_reader", moved))


@planted("Drained", "PaidTerminal", "RebuildEqual")
def a_time_out_is_lost() -> AbstractContextManager[Any]:
    plan = Scheduler.plan

    def forgetful(self: Scheduler, item: Plan, token: str, meta: Metadata, now: Any) -> None:
        if not (isinstance(item, ScheduleCommand) and isinstance(item.command, MeetDeadline)):
            plan(self, item, token, meta, now)

    return patch.object(Scheduler, "plan", forgetful)


@planted("Drained", "PaidTerminal")
def a_deadline_counts_from_the_last_event() -> AbstractContextManager[Any]:
    """And nobody compares clocks: one that was hours ahead for a while delays all that is planned after it."""
    init = UnitOfWork.__init__

    def from_the_last(self: UnitOfWork, writer: Any, now: Any, at: Any, poisoned: dict[str, str]) -> None:
        init(self, writer, at, at, poisoned)

    return together(patch.object(UnitOfWork, "__init__", from_the_last), patch.object(WriterState, "halted", ""))


@planted("Unhandled")
def an_upcaster_is_dropped() -> AbstractContextManager[Any]:
    """Older code wrote the event in a shape that nothing lifts."""
    old = classmethod(lambda cls: f"{cls.__name__}.v1")
    return together(patch.object(StockReserved, "version", 2), patch.object(StockReserved, "type", old))


@planted("RebuildEqual", "HoldsMatch", "Drained")
def rows_survive_a_rollback() -> AbstractContextManager[Any]:
    return patch.object(RowCache, "forget", lambda self: self._dirty.clear())


@planted("NoOversell", "KeyOnce", "OneCapture", "OnePurchase", "PaidTerminal", "ScreenedOnly", "EvidenceSettled")
def states_survive_a_rollback() -> AbstractContextManager[Any]:
    kept = patch.object(AggregateCache, "forget", lambda self: self._changed.clear())
    return together(kept, patch.object(AggregateCache, "clear", lambda self: None))


@planted("RejectAtomic")
def a_refusal_leaves_an_event() -> AbstractContextManager[Any]:
    decide = UnitOfWork._decide

    def telling(self: UnitOfWork, task: PendingCommand) -> Mapping[str, Any]:
        try:
            return decide(self, task)
        except Refused as no:
            if isinstance(task.command, PlaceOrder) and no.code == "over-limit":
                event = OrderCancelled(
                    order_id=task.command.order_id, customer=None, reason="staff", paid=False, lines=()
                )
                self._append(task.stream, event, task.meta, task.meta.model_dump_json())
            raise

    return patch.object(UnitOfWork, "_decide", telling)


@planted("ChainIntact")
def the_chain_leaves_the_content_out() -> AbstractContextManager[Any]:
    whole = log._chained

    def chained(chain: bytes, events: Sequence[RecordedEvent]) -> list[tuple[bytes, ...]]:
        rows: list[tuple[bytes, ...]] = []
        for *fields, _ in whole(chain, events):
            chain = log.link_fields(chain, *(field.decode() for field in fields[:4]))
            rows.append((*fields, chain))
        return rows

    return patch.object(log, "_chained", chained)
