"""Texts that suppliers deliver: sealed to the buyer, or kept for a person to use or give back. Pure.

A buyer gets as many texts as were sold, and only texts that nobody was given before. Any other texts wait for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.fulfillment.domain.state import Delivery, Report, Statement
from shared.contracts import Command, Decided, Refused
from shared.contracts.fulfillment import (
    OpenGoods,
    OpenReport,
    RecordPurchase,
    SupplierGoodsOpened,
    SupplierReportOpened,
    purchase_request_id,
    report_id,
    statement_id,
)
from shared.contracts.inventory import Kind, SealedKey
from shared.contracts.order import OrderLine


@dataclass(frozen=True)
class GoodsOpening:
    """Texts that a purchase delivered, to be sealed again to `reader_key`, as `context`."""

    goods: tuple[SealedKey, ...]
    request_id: str
    reader_key: str
    context: str

    @property
    def indexes(self) -> tuple[str, ...]:
        return tuple(one.index for one in self.goods)


@dataclass(frozen=True)
class Resealed:
    """The texts, sealed to their reader. Or, with nothing sealed, the keyed hashes of texts that a supplier sent before
    or that are in stock."""

    envelope: str = ""
    given_before: tuple[str, ...] = ()
    in_stock: tuple[str, ...] = ()


# Products of these kinds without a target are texts. A top-up, a bill or a membership may be delivered without one.
TEXTS: frozenset[Kind] = frozenset({"card-key", "activation-code"})


def misfit(goods: Sequence[SealedKey], quantity: int) -> str:
    """The reason, for people, why these texts can't be what was sold; empty if they can."""
    indexes = [one.index for one in goods]
    if len(indexes) != quantity:
        return f"the supplier sent {len(indexes)} texts for {quantity} sold"
    if "" in indexes:
        return "the supplier sent a text that can be no key"
    return "the supplier sent the same text twice" if len(set(indexes)) < len(indexes) else ""


def doubt(goods: Sequence[SealedKey], line: OrderLine, resealed: object) -> str:
    """The reason, for people, why the goods can't count as the line's delivery; empty if they can."""
    if not goods:
        is_text = line.kind in TEXTS and not line.target
        return f"the supplier sent no text for {line.quantity} sold" if is_text else ""
    if reason := misfit(goods, line.quantity):
        return reason
    if not isinstance(resealed, Resealed):
        return ""
    if resealed.given_before:
        return f"the supplier sent {len(resealed.given_before)} texts that came before"
    return f"the supplier sent {len(resealed.in_stock)} texts of the shop's own stock" if resealed.in_stock else ""


def goods_to_open(command: Command, state: Delivery) -> GoodsOpening | None:
    """The texts that this command shows to somebody. None means that no box may be opened."""
    match command:
        case RecordPurchase(outcome="done", goods=(_, *_)) if state.line and command.supplier == state.supplier:
            if misfit(command.goods, state.line.quantity):
                return None
            request_id = purchase_request_id(command.delivery_id, command.supplier)
            return GoodsOpening(command.goods, request_id, state.buyer_key, command.delivery_id)
        case OpenGoods() if (statement := _with_goods(command, state)) is not None:
            request_id = purchase_request_id(command.delivery_id, statement.supplier)
            context = statement_id(command.delivery_id, command.statement)
            return GoodsOpening(statement.goods, request_id, command.reader_key, context)
        case OpenReport() if (report := _report_with_goods(command, state)) is not None:
            request_id = purchase_request_id(command.delivery_id, report.supplier)
            context = report_id(command.delivery_id, command.report)
            return GoodsOpening(report.goods, request_id, command.reader_key, context)
        case _:
            return None


def _report_with_goods(command: OpenReport, state: Delivery) -> Report | None:
    if not 1 <= command.report <= len(state.reports):
        return None
    report = state.reports[command.report - 1]
    return report if report.goods else None


def _with_goods(command: OpenGoods, state: Delivery) -> Statement | None:
    if not 1 <= command.statement <= len(state.statements):
        return None
    statement = state.statements[command.statement - 1]
    return statement if statement.goods else None


def show(command: OpenGoods, state: Delivery, resealed: Resealed | None) -> Decided:
    """Refuses `no-goods`. Every reading is an event."""
    statement = _with_goods(command, state)
    if statement is None or state.line is None or resealed is None:
        raise Refused("no-goods", "no texts came with such a statement of a supplier", status=404)
    opened = SupplierGoodsOpened(
        delivery_id=command.delivery_id,
        order_id=state.order_id,
        line=state.line.line,
        supplier=statement.supplier,
        statement=command.statement,
        note=command.note,
    )
    return Decided([opened], {"envelope": resealed.envelope})


def show_report(command: OpenReport, state: Delivery, resealed: Resealed | None) -> Decided:
    """Refuses `no-goods`. Every reading is an event."""
    report = _report_with_goods(command, state)
    if report is None or resealed is None:
        raise Refused("no-goods", "no texts came with such a report of a supplier", status=404)
    opened = SupplierReportOpened(
        delivery_id=command.delivery_id,
        order_id=state.order_id or None,
        supplier=report.supplier,
        report=command.report,
        note=command.note,
    )
    return Decided([opened], {"envelope": resealed.envelope})
