"""Money, commands and books to say a test with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import sqlalchemy as sa

from services.ledger.adapters import Adapters
from services.ledger.adapters.channel import Channel
from services.ledger.domain.payment.state import item_id
from services.ledger.domain.postings import transfer
from services.ledger.projection import LedgerProjection
from services.ledger.service import SERVICE
from shared.contracts import Command, Decided, DecisionContext, Event, Metadata, Money
from shared.contracts.ledger import (
    CallbackRefused,
    HoldFunds,
    PaymentOpened,
    PaymentReceived,
    PaymentRequested,
    PaymentUnmatched,
    PostEntry,
    Posting,
    RecordCallback,
    RequestPayment,
)
from shared.eventstore.recorded import RecordedEvent
from shared.runtime.clock import Clock
from tests.amounts import minor
from tests.databases import in_memory

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ASK_WITHIN = timedelta(hours=2)
UNREACHED = Channel(http=httpx.Client(trust_env=False, verify=False), secret=b"", clock=Clock(), return_url="")  # noqa: S501
META = Metadata(correlation_id="c-1", causation_id="c-1", site="north")


def given(facts: Any = None) -> DecisionContext:
    return DecisionContext(NOW, "command-1", META, facts)


def posting(account: str, fen: int, currency: str = "CNY") -> Posting:
    return Posting(account=account, amount=minor(fen, currency))


def folded(evolve: Any, state: Any, events: Iterable[Event]) -> Any:
    for event in events:
        state = evolve(state, event)
    return state


def a_request(**changes: Any) -> RequestPayment:
    fields = {"payment_id": "p-1", "account": "wallet:alice", "amount": minor(500), "channel": "wechat"}
    return RequestPayment.model_validate(fields | changes)


def a_callback(**changes: Any) -> RecordCallback:
    fields = {
        "payment_id": "p-1",
        "channel": "wechat",
        "callback_id": "cb-1",
        "channel_ref": "ref-1",
        "amount": minor(500),
        "status": "paid",
        "authentic": True,
    }
    return RecordCallback.model_validate(fields | changes)


def requested(**changes: Any) -> PaymentRequested:
    fields = {"payment_id": "p-1", "account": "wallet:alice", "amount": minor(500), "channel": "wechat"}
    return PaymentRequested.model_validate(fields | {"order_id": None, "ask_until": NOW + ASK_WITHIN} | changes)


OPENED = PaymentOpened(payment_id="p-1", channel_ref="ref-1", pay_url="https://pay.example/1")


def received(**changes: Any) -> PaymentReceived:
    fields = {
        "payment_id": "p-1",
        "account": "wallet:alice",
        "amount": minor(500),
        "channel": "wechat",
        "channel_ref": "ref-1",
        "callback_id": "cb-1",
        "order_id": None,
        "postings": (posting("channel:wechat", 500), posting("wallet:alice", -500)),
    }
    return PaymentReceived.model_validate(fields | changes)


def refused(reason: str, **changes: Any) -> CallbackRefused:
    fields = {"payment_id": "p-1", "channel": "wechat", "callback_id": "cb-1", "reason": reason}
    return CallbackRefused.model_validate(fields | {"channel_ref": "ref-1"} | changes)


def unmatched(amount: Money, reason: str = "amount-mismatch", **changes: Any) -> PaymentUnmatched:
    """Money that came for the payment that `requested` asks for; booked, if not told otherwise."""
    fields = {
        "payment_id": "p-1",
        "item": item_id("p-1", "wechat", "ref-1"),
        "channel": "wechat",
        "channel_ref": "ref-1",
        "callback_id": "cb-1",
        "amount": amount,
        "expected": minor(500),
        "reason": reason,
        "order_id": None,
        "postings": transfer("channel:wechat", "suspense:wechat", amount),
    }
    return PaymentUnmatched.model_validate(fields | changes)


def funding(account: str, fen: int, entry_id: str = "e-1") -> PostEntry:
    """Finance puts money on an account."""
    postings = (posting("channel:bank", fen), posting(account, -fen))
    return PostEntry(entry_id=entry_id, postings=postings, note="cash")


def hold(order_id: str, account: str, fen: int) -> HoldFunds:
    return HoldFunds(order_id=order_id, account=account, amount=minor(fen))


@dataclass(frozen=True)
class InMemory:
    """Fresh tables on a SQLite database that lives as long as they do."""

    connection: sa.Connection
    projection: LedgerProjection

    @classmethod
    def fresh(cls) -> InMemory:
        engine = in_memory()
        LedgerProjection.metadata.create_all(engine)
        connection = engine.connect()
        return cls(connection, LedgerProjection(lambda: connection))

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table, as the database has them."""
        self.projection.flush()
        found = {}
        for table in LedgerProjection.metadata.sorted_tables:
            rows = self.connection.execute(sa.select(table).order_by(*table.primary_key.columns))
            found[table.name] = [tuple(row) for row in rows]
        return found


class Books:
    """The service's rooms wired together: a command is decided with looked-up facts, its events are folded, and own
    reactions follow at once, as they do in a writer."""

    def __init__(self, commission_basis_points: int = 300) -> None:
        self.adapters = Adapters({"wechat": UNREACHED}, commission_basis_points, ASK_WITHIN, Clock(now=lambda: NOW))
        self.memory = InMemory.fresh()
        self.projection = self.memory.projection
        self.states: dict[str, Any] = {}
        self.log: list[RecordedEvent] = []

    def do(self, command: Command) -> Mapping[str, Any]:
        """Decide and fold; gives the answer."""
        aggregate = SERVICE.aggregate_for(type(command))
        stream = f"{aggregate.name}-{command.partition_key()}"
        state = self.states.get(stream, aggregate.initial())
        load = aggregate.load_facts.get(type(command))
        facts = load(command, state, self.projection, self.adapters) if load else None
        decided = aggregate.decide(command, state, given(facts))
        if not isinstance(decided, Decided):
            decided = Decided(decided)
        for event in decided.events:
            self.states[stream] = state = aggregate.evolve(state, event)
            self._append(stream, event)
        return decided.answer

    def _append(self, stream: str, event: Event) -> None:
        position = len(self.log) + 1
        recorded = RecordedEvent(
            "ledger", position, stream, 1, f"id-{position}", event.type(), "", "", NOW, event, META
        )
        self.log.append(recorded)
        self.projection.apply(event, recorded)
        for command in SERVICE.reactions.get(type(event), lambda _: ())(event):
            self.do(command)

    def events(self, *types: type[Event]) -> list[Event]:
        return [recorded.event for recorded in self.log if isinstance(recorded.event, types)]

    def balance(self, account: str) -> tuple[int, int]:
        """(posted, held) in fen, debit-positive."""
        balance = self.projection.balance(account, "CNY")
        return balance.posted, balance.held
