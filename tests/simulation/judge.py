"""Every law, held against a run that has come to its end."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from laws import (
    ChannelPayment,
    EvidenceSettled,
    LinksClosed,
    SupplierPurchase,
    SupplierSaid,
    accounts_agree,
    evidence_settled,
    links_closed,
    one_capture,
    one_purchase,
    statements_kept,
)
from laws.money import HoldsMatch
from services.ledger.projection import accounts
from shared.contracts import Event, Money
from shared.contracts.fulfillment import (
    DeliveryHandedOver,
    DeliveryResolved,
    PurchaseFailed,
    RecordPurchase,
    SupplierDelivered,
    SupplierStatementRecorded,
    purchase_request_id,
)
from shared.contracts.gateway import RecordUnread, StatementUnread
from shared.contracts.order import OrderCancelled, OrderCompleted, OrderPlaced, OrderReopened
from shared.eventstore import chain_check, log, schema
from shared.laws import (
    Ack,
    Finding,
    LawChecker,
    ReceivedReply,
    ack_durable,
    chain_intact,
    drained,
    idempotent_same,
    no_plaintext,
    rebuild_equal,
    reject_atomic,
)
from shared.messages.messages import Reply
from shared.projections.rebuild import Verdict, verify
from shared.runtime.service import Service
from shared.writer.aggregate_cache import AggregateType
from tests.simulation.requests import Request
from tests.simulation.world import World

UNREAD = "unread"
TEXTS = 3  # searched for in each run: over many runs every disguise of many keys


def findings(world: World, watch: LawChecker, rest: Sequence[str]) -> Iterator[Finding]:
    """What the laws say at the end. `rest` is what the run has not brought to an end."""
    yield from meanwhile(world)
    yield evidence_settled(_payments(world), watch.law(EvidenceSettled))
    kept = _kept(world)
    yield statements_kept(_said(world, {said.request_id for said in kept if said.outcome == "done"}), kept)
    yield links_closed(watch.law(LinksClosed))
    yield one_purchase(_purchases(world), _lines(world, SupplierDelivered), stated=_stated(world))
    yield no_plaintext(_texts(world), _haystacks(world))
    yield from watch.findings(drained=not rest)
    yield drained(world.host.lags(), [*rest, *_unended(world)], _parked(world))
    yield accounts_agree(watch.law(HoldsMatch).balances, _accounts(world))
    yield rebuild_equal(_verdict(service, world) for service in world.host.services)


def meanwhile(world: World) -> Iterator[Finding]:
    """What those laws say that hold while much is under way, beside those of a watch."""
    heads = {name: _head(engine) for name, engine in world.host.logs.items()}
    acks = [_ack(request, reply) for request in world.requests.made for reply in request.replies]
    yield one_capture(_payments(world))
    yield ack_durable(acks, _known(world), heads)
    yield idempotent_same(reply for request in world.requests.made for reply in _received_replies(request))
    yield reject_atomic(acks, world.events)
    yield chain_intact({name: chain_check.check_chain(engine) for name, engine in world.host.logs.items()})


def _head(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return log.read_head(connection).position


def _unended(world: World) -> list[str]:
    """Orders, paid or not, for which nothing is planned any more and that yet have not ended."""
    going: dict[str, None] = {}
    for recorded in world.events:
        match recorded.event if recorded.source == "order" else None:
            case OrderPlaced(order_id=order_id) | OrderReopened(order_id=order_id):
                going[order_id] = None
            case OrderCompleted(order_id=order_id) | OrderCancelled(order_id=order_id):
                going.pop(order_id, None)
            case _:
                pass
    return [f"order {order_id} has not ended" for order_id in going]


def _parked(world: World) -> list[str]:
    parked = []
    for name, engine in world.host.logs.items():
        with engine.connect() as connection:
            rows = connection.execute(sa.select(schema.parked.c.type, schema.parked.c.error))
            parked += [f"{row.type} at {name}: {row.error}" for row in rows]
    return parked


def _accounts(world: World) -> dict[tuple[str, str], tuple[int, int]]:
    with world.host.logs["ledger"].connect() as connection:
        rows = connection.execute(sa.select(accounts))
        return {(row.account, row.currency): (row.posted, row.held) for row in rows}


# What partners saw


def _payments(world: World) -> Iterator[ChannelPayment]:
    channel = world.partners.channel
    refunds = channel.refunds()
    for payment_id, times in channel.captures().items():
        payment = channel.books.all[payment_id]
        returns = {
            return_id: (payment.refunds[return_id].amount,) * count
            for (of, return_id), count in refunds.items()
            if of == payment_id
        }
        paid = payment.taken.amount * min(times, 1)
        yield ChannelPayment(payment_id, times, paid, returns, payment.taken.currency)


def _purchases(world: World) -> Iterator[SupplierPurchase]:
    for name, supplier in world.partners.suppliers.items():
        for request_id, purchase in supplier.books.all.items():
            yield SupplierPurchase(name, request_id, purchase.bought)


def _lines(world: World, *kinds: type[Event]) -> set[str]:
    names = {kind.__name__ for kind in kinds}
    return {recorded.event.partition_key() for recorded in world.events if recorded.name in names}


def _stated(world: World) -> set[str]:
    """The purchases that came about late, as the log says, when their supplier had said no or a person had to end the
    line; by request id."""
    stated, delivered = set[str](), set[str]()
    given_up = _lines(world, DeliveryHandedOver, DeliveryResolved)
    expected = {
        request_id
        for supplier in world.partners.suppliers.values()
        for request_id, purchase in supplier.books.all.items()
        if purchase.said_no or request_id.rpartition("#")[0] in given_up
    }
    for event in (recorded.event for recorded in world.events if recorded.source == "fulfillment"):
        match event:
            case SupplierStatementRecorded(outcome="done", request_id=request_id):
                stated.add(request_id)
            case SupplierDelivered(delivery_id=delivery_id, supplier=supplier):
                delivered.add(purchase_request_id(delivery_id, supplier))
            case _:
                pass
    return (stated & expected) - delivered


def _said(world: World, done: Collection[str]) -> Iterator[SupplierSaid]:
    """The statements of partners that can't be read, and of suppliers that can, and were answered as recorded; and what
    they sold, if it is not known as `done`."""
    for command in (command for partner in world.partners.all for command in partner.accepted):
        if isinstance(command, RecordUnread):
            yield _statement(command.statement_id, UNREAD, None)
    for supplier in world.partners.suppliers.values():
        for command in supplier.accepted:
            if isinstance(command, RecordPurchase) and command.outcome != "pending":
                goods = [one.index for one in command.goods]
                yield _statement(
                    purchase_request_id(command.delivery_id, command.supplier), command.outcome, command.cost, goods
                )
        for request_id, purchase in supplier.books.all.items():
            if purchase.bought and request_id not in done:
                goods = [one.index for one in supplier.statement(purchase.report()).goods]
                yield _statement(request_id, "done", purchase.report().cost, goods)


def _kept(world: World) -> set[SupplierSaid]:
    """What suppliers said, as the log keeps it, and what partners said that can't be read."""
    kept = set[SupplierSaid]()
    for event in (recorded.event for recorded in world.events if recorded.source in ("fulfillment", "gateway")):
        match event:
            case StatementUnread():
                kept.add(_statement(event.statement_id, UNREAD, None))
            case SupplierStatementRecorded():
                goods = [one.index for one in event.goods]
                kept.add(_statement(event.request_id, event.outcome, event.cost, goods))
            case SupplierDelivered():
                request_id = purchase_request_id(event.delivery_id, event.supplier)
                kept.add(_statement(request_id, "done", event.cost, event.indexes))
            case PurchaseFailed():
                kept.add(_statement(purchase_request_id(event.delivery_id, event.supplier), "failed", None))
            case _:
                pass
    return kept


def _statement(request_id: str, outcome: str, cost: Money | None, goods: Sequence[str] = ()) -> SupplierSaid:
    """Only what is done has a cost and goods."""
    if outcome != "done":
        return SupplierSaid(request_id, outcome)
    charged = (cost.amount, cost.currency) if cost else (None, "")
    return SupplierSaid(request_id, outcome, *charged, frozenset(goods))


# The replies that callers got


def _ack(request: Request, reply: Reply) -> Ack:
    return Ack(reply.source, request.id, reply.position, reply.outcome)


def _received_replies(request: Request) -> Iterator[ReceivedReply]:
    for reply in request.replies:
        said = replace(reply, repeated=False)
        yield ReceivedReply(request.id, request.command.fingerprint(), reply.outcome, said, reply.source)


def _known(world: World) -> set[tuple[str, str]]:
    known = set()
    for name, engine in world.host.logs.items():
        with engine.connect() as connection:
            known |= {(name, id_) for id_ in connection.execute(sa.select(schema.commands.c.id)).scalars()}
    return known


# Where no key may be read


def _texts(world: World) -> list[str]:
    luck = world.host.luck.fork("texts")
    delivered = [text for supplier in world.partners.suppliers.values() for text in supplier.texts]
    every = (world.stock.texts, delivered)
    return [text for texts in every for text in luck.sample(texts, min(TEXTS, len(texts)))]


def _haystacks(world: World) -> Iterator[tuple[str, bytes]]:
    yield "what was sent", bytes(world.host.network.carried)
    for name, store in world.host.stores.items():
        yield f"the database of {name}", store.image()


# What the logs say once more


@contextmanager
def _scratch() -> Iterator[sa.Engine]:
    _held.append(sqlite3.connect(":memory:", isolation_level=None))
    _engine.dispose()
    try:
        yield _engine
    finally:
        _engine.dispose()
        _held.pop()


_held: list[sqlite3.Connection] = []
# One for all runs: its statements are compiled once.
_engine = sa.create_engine("sqlite://", creator=lambda: _held[-1], poolclass=StaticPool)


def _verdict(service: Service, world: World) -> Verdict:
    aggregate_types = {
        aggregate.name: AggregateType(aggregate.initial, aggregate.evolve) for aggregate in service.aggregates
    }
    foreign_events = frozenset(event.__name__ for event in service.foreign_events)
    logs = dict(world.host.logs)
    return verify(
        service.name,
        service.projection,
        foreign_events,
        aggregate_types,
        logs,
        scratch=_scratch,
        plans=service.plans,
        now=world.host.timeline.now(),
    )
