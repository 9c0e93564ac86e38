"""Bugs as people make them, each to be switched on for a while: the laws must find every one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import httpx
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from services.fulfillment.adapters.supplier import OutcomeUnknown, Purchase, Supplier, failed
from services.fulfillment.adapters.vault import Vault
from services.fulfillment.domain.keys import Opened, Opening
from services.inventory.domain import stock
from services.ledger.domain import hold
from services.order.domain.state import Order
from shared.contracts import Event, Later, Metadata, Money, Plan, Refused
from shared.contracts.fulfillment import RecordPurchase
from shared.contracts.inventory import StockReserved
from shared.contracts.ledger import CaptureHold, Posting
from shared.contracts.order import MeetDeadline, OrderCancelled, PlaceOrder
from shared.eventlog import log, schema
from shared.eventlog.agenda import Agenda
from shared.eventlog.log import Head
from shared.eventlog.memory import Memory
from shared.eventlog.recorded import Recorded
from shared.eventlog.tables import Rows
from shared.hosting.unit import Unit
from shared.hosting.work import Heard, Outcome, Task, Work
from shared.hosting.writer import Writer
from shared.messaging.port import CommandMessage, Slice

Switch = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Planted:
    """`laws` are those that may name it, `switch` turns it on."""

    name: str
    laws: frozenset[str]
    switch: Switch


PLANTED: list[Planted] = []


def planted(*laws: str) -> Callable[[Switch], Switch]:
    def add(switch: Switch) -> Switch:
        PLANTED.append(Planted(switch.__name__, frozenset(laws), switch))
        return switch

    return add


# The kernel's


@planted("Drained", "PaidTerminal", "RebuildEqual")
def a_position_moves_without_its_events() -> AbstractContextManager[Any]:
    take = Unit._take

    def _take(self: Unit, event: Heard) -> None:
        if event.recorded.position % 7:
            take(self, event)

    return patch.object(Unit, "_take", _take)


@planted("Drained", "PaidTerminal", "RebuildEqual")
def a_slice_is_accepted_over_a_gap() -> AbstractContextManager[Any]:
    def _unseen(self: Unit, work: Work) -> Iterator[Recorded]:
        if not isinstance(work, Slice):
            return
        before, reached = self.moved.get(work.source) or (self.desk.stored[work.source],) * 2
        if work.last > reached:
            self.moved[work.source] = (before, work.last)
            yield from (it for it in work.events if it.position > reached and it.name in self.desk.heard)

    return patch.object(Unit, "_unseen", _unseen)


@planted("IdempotentSame")
def a_command_id_is_forgotten() -> AbstractContextManager[Any]:
    def _remembered(self: Unit, message: CommandMessage) -> None:
        return None

    return patch.object(Unit, "_remembered", _remembered)


@contextmanager
def _replying_early() -> Iterator[None]:
    last: list[Outcome] = []
    run, attempt = Unit.run, Writer._attempt

    def remember(self: Unit, works: list[Work]) -> None:
        run(self, works)
        last.append(self.outcome)

    def _attempt(self: Writer, works: list[Work], condemned: dict[str, str]) -> Outcome:
        last.clear()
        try:
            return attempt(self, works, condemned)
        except OperationalError:
            if not last:
                raise
            return last[-1]

    with patch.object(Unit, "run", remember), patch.object(Writer, "_attempt", _attempt):
        yield


@planted("AckDurable")
def replies_do_not_wait_for_the_commit() -> AbstractContextManager[Any]:
    return _replying_early()


@planted("RebuildEqual", "NoOversell", "KeyOnce", "OneCapture", "OnePurchase", "PaidTerminal")
def two_writers_are_let_through() -> AbstractContextManager[Any]:
    """The position is taken? Then the next one. The reader is elsewhere? Then it goes where we say."""
    append = log.append

    def renumbered(connection: sa.Connection, before: Head, events: list[Recorded]) -> Head:
        head = log.read_head(connection)
        versions = sa.select(sa.func.max(schema.log.c.version))
        for number, recorded in enumerate(events, start=1):
            recorded.position = head.position + number
            known = connection.execute(versions.where(schema.log.c.stream == recorded.stream)).scalar_one() or 0
            earlier = sum(other.stream == recorded.stream for other in events[: number - 1])
            recorded.version = known + earlier + 1
        return append(connection, head, events)

    def moved(connection: sa.Connection, source: str, before: int, after: int) -> None:
        connection.execute(sa.update(schema.readers).where(schema.readers.c.source == source).values(position=after))

    return _all(patch.object(log, "append", renumbered), patch.object(log, "move_reader", moved))


@planted("Drained", "PaidTerminal")
def a_time_out_is_lost() -> AbstractContextManager[Any]:
    plan = Agenda.plan

    def forgetful(self: Agenda, item: Plan, meta: Metadata, now: Any) -> None:
        if not (isinstance(item, Later) and isinstance(item.command, MeetDeadline)):
            plan(self, item, meta, now)

    return patch.object(Agenda, "plan", forgetful)


@planted("Unhandled")
def an_upcaster_is_dropped() -> AbstractContextManager[Any]:
    """Older code wrote the event in a shape that nothing lifts."""
    old = classmethod(lambda cls: f"{cls.__name__}.v1")
    return _all(patch.object(StockReserved, "version", 2), patch.object(StockReserved, "type", old))


@planted("RebuildEqual", "HoldsMatch", "Drained")
def rows_survive_a_rollback() -> AbstractContextManager[Any]:
    return patch.object(Rows, "forget", lambda self: self._dirty.clear())


@planted("NoOversell", "KeyOnce", "OneCapture", "PaidTerminal")
def states_survive_a_rollback() -> AbstractContextManager[Any]:
    kept = patch.object(Memory, "forget", lambda self: self._changed.clear())
    return _all(kept, patch.object(Memory, "clear", lambda self: None))


@planted("RejectAtomic")
def a_refusal_leaves_an_event() -> AbstractContextManager[Any]:
    decide = Unit._decide

    def telling(self: Unit, task: Task) -> Mapping[str, Any]:
        try:
            return decide(self, task)
        except Refused as no:
            if isinstance(task.command, PlaceOrder) and no.code == "over-limit":
                told = OrderCancelled(
                    order_id=task.command.order_id, customer=None, reason="staff", paid=False, lines=()
                )
                self._append(task.stream, told, task.meta, task.meta.model_dump_json())
            raise

    return patch.object(Unit, "_decide", telling)


@planted("ChainIntact")
def the_chain_leaves_the_content_out() -> AbstractContextManager[Any]:
    whole = log._chained

    def chained(chain: bytes, events: Sequence[Recorded]) -> list[tuple[bytes, ...]]:
        rows: list[tuple[bytes, ...]] = []
        for *fields, _ in whole(chain, events):
            chain = log._link(chain, *(field.decode() for field in fields[:4]))
            rows.append((*fields, chain))
        return rows

    return patch.object(log, "_chained", chained)


# The services'


@planted("NoOversell")
def stock_is_reserved_without_being_taken() -> AbstractContextManager[Any]:
    return patch.object(stock, "_take", lambda lot, numbers: lot)


@planted("OneCapture")
def a_hold_is_captured_twice() -> AbstractContextManager[Any]:
    capture = hold._capture

    def twice(command: CaptureHold, state: hold.Hold, commission: int, site: str) -> list[Event]:
        return capture(command, state, commission, site) * 2

    return patch.object(hold, "_capture", twice)


@planted("Conserved")
def a_posting_is_rounded() -> AbstractContextManager[Any]:
    transfer = hold.transfer

    def rounded(debited: str, credited: str, amount: Money) -> tuple[Posting, ...]:
        debit, credit = transfer(debited, credited, amount)
        return debit, Posting(account=credit.account, amount=Money(amount=credit.amount.amount // 10 * 10))

    return patch.object(hold, "transfer", rounded)


@planted("PaidTerminal")
def a_cancelled_order_keeps_its_hold() -> AbstractContextManager[Any]:
    return patch.object(hold, "_void", lambda command, state: [])


@planted("PaidTerminal")
def a_key_is_opened_before_payment() -> AbstractContextManager[Any]:
    def joined(self: Order) -> bool:
        return self.screening == "pass" and len(self.reserved) == len(
            [line for line in self.lines if line.source == "keys"]
        )

    return patch.object(Order, "joined", property(joined))


@planted("NoPlaintext")
def a_key_goes_out_unsealed() -> AbstractContextManager[Any]:
    def reseal(self: Vault, opening: Opening) -> Opened:
        return Opened(envelope=json.dumps([self._opener.open(key.box, context=opening.sku) for key in opening.keys]))

    return patch.object(Vault, "reseal", reseal)


@planted("OnePurchase")
def silence_of_a_supplier_is_taken_for_a_no() -> AbstractContextManager[Any]:
    buy = Supplier.purchase

    def hasty(self: Supplier, purchase: Purchase, attempt: int) -> RecordPurchase:
        try:
            return buy(self, purchase, attempt)
        except (httpx.HTTPError, OutcomeUnknown):
            return failed(purchase.delivery_id, purchase.supplier, "no answer")

    return patch.object(Supplier, "purchase", hasty)


@contextmanager
def _all(*switches: AbstractContextManager[Any]) -> Iterator[None]:
    with ExitStack() as stack:
        for switch in switches:
            stack.enter_context(switch)
        yield
