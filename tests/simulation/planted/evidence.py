"""Bugs in what is made of the words of channels and suppliers: evidence, bills, goods, links."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, cast
from unittest.mock import patch

import httpx

from services.fulfillment.adapters.supplier import OutcomeUnknown, Purchase, Supplier, failed
from services.fulfillment.domain import goods as supplier_goods
from services.fulfillment.domain import statements as supplier_statements
from services.fulfillment.domain.state import Delivery
from services.fulfillment.projection import FulfillmentProjection
from services.gateway.callbacks import domain
from services.inventory.projection import InventoryProjection
from services.inventory.reactions import REACTIONS as inventory_reactions
from services.ledger.adapters import effects
from services.ledger.domain.payment import Payment, closing, statements
from services.ledger.domain.payment.state import FAILED
from services.ledger.reactions import PLANS
from services.ledger.reactions import REACTIONS as ledger_reactions
from shared.contracts import Cancel, Command, Decided, Event, Money, Plan, Planner, Reaction
from shared.contracts.fulfillment import RecordPurchase, SupplierClaimWon, SupplierDelivered, SupplierStatementRecorded
from shared.contracts.ledger import CallbackRefused, RecordCallback, RecordReturn, VoidHold
from shared.contracts.order import OrderCancelled, OrderLine
from shared.security.sealing import Sealer
from tests.simulation.planted.registry import planted


@planted("OnePurchase")
def silence_of_a_supplier_is_taken_for_a_no() -> AbstractContextManager[Any]:
    buy = Supplier.purchase

    def hasty(self: Supplier, purchase: Purchase, attempt: int) -> RecordPurchase:
        try:
            return buy(self, purchase, attempt)
        except (httpx.HTTPError, OutcomeUnknown):
            return failed(purchase.delivery_id, purchase.supplier, "no answer")

    return patch.object(Supplier, "purchase", hasty)


@planted("EvidenceSettled")
def a_wrong_amount_is_dropped() -> AbstractContextManager[Any]:
    def dropped(*args: Any, **more: Any) -> Decided:
        return Decided(answer={"outcome": "refused", "reason": "wrong-amount"})

    return patch.object(statements, "_unmatched", dropped)


@planted("EvidenceSettled")
def what_can_not_be_read_is_dropped() -> AbstractContextManager[Any]:
    def dropped(*args: Any) -> Decided:
        return Decided(answer={"outcome": "recorded"})

    return patch.object(domain, "_record", dropped)


@planted("EvidenceSettled", "OneCapture")
def a_refused_refund_is_called_done() -> AbstractContextManager[Any]:
    not_returned = effects._not_returned

    def done(payload: Mapping[str, Any], reason: str, *args: Any) -> RecordReturn:
        return not_returned(payload, reason, *args).model_copy(update={"returned": True})

    return patch.object(effects, "_not_returned", done)


@planted("EvidenceSettled")
def what_was_paid_back_is_booked_as_it_was_asked_for() -> AbstractContextManager[Any]:
    not_returned = effects._not_returned

    def as_asked(payload: Mapping[str, Any], reason: str, found: Any = (), paid: Money | None = None) -> RecordReturn:
        return not_returned(payload, reason, found, paid and effects._amount(payload))

    return patch.object(effects, "_not_returned", as_asked)


@planted("EvidenceSettled")
def a_success_after_a_failure_is_lost() -> AbstractContextManager[Any]:
    record = statements.record

    def deaf(command: RecordCallback, state: Payment, owner: str | None) -> Decided:
        if command.status == "paid" and state.said == FAILED:
            return Decided(answer={"outcome": "refused", "reason": "replayed"})
        return record(command, state, owner)

    return patch.object(statements, "record", deaf)


@planted("EvidenceSettled")
def asking_stops_at_the_first_no() -> AbstractContextManager[Any]:
    def stop(event: CallbackRefused, at: datetime) -> list[Plan]:
        return [Cancel(f"ask/{event.payment_id}")] if event.reason == "failed" else []

    return patch.dict(cast("dict[type[Event], Planner]", PLANS), {CallbackRefused: stop})


@planted("EvidenceSettled")
def a_late_success_of_a_supplier_is_dropped() -> AbstractContextManager[Any]:
    late = supplier_statements.late

    def deaf(command: RecordPurchase, state: Delivery, line: OrderLine) -> list[Event]:
        return [] if command.outcome == "done" else late(command, state, line)

    return patch.object(supplier_statements, "late", deaf)


@planted("EvidenceSettled")
def an_odd_bill_of_a_supplier_is_taken_for_none() -> AbstractContextManager[Any]:
    late = supplier_statements.late

    def deaf(command: RecordPurchase, state: Delivery, line: OrderLine) -> list[Event]:
        is_odd = command.outcome == "done" and supplier_statements.is_doubtful(command.cost, line)
        return [] if is_odd else late(command, state, line)

    return patch.object(supplier_statements, "late", deaf)


@planted("EvidenceSettled")
def goods_that_come_late_are_dropped() -> AbstractContextManager[Any]:
    late = supplier_statements.late

    def without(command: RecordPurchase, state: Delivery, line: OrderLine) -> list[Event]:
        return late(command.model_copy(update={"goods": ()}), state, line)

    return patch.object(supplier_statements, "late", without)


@planted("KeyOnce")
def goods_of_a_supplier_are_not_counted() -> AbstractContextManager[Any]:
    return patch.object(supplier_goods, "misfit", lambda goods, quantity: "")


@planted("KeyOnce")
def nobody_compares_what_suppliers_send_with_our_stock() -> AbstractContextManager[Any]:
    return patch.object(FulfillmentProjection, "in_stock", lambda self, opening: ())


@planted("KeyOnce")
def an_import_takes_in_what_a_supplier_has_sent() -> AbstractContextManager[Any]:
    return patch.object(InventoryProjection, "supplied", lambda self, indexes: frozenset())


@planted("KeyOnce")
def stock_does_not_hear_what_suppliers_send() -> AbstractContextManager[Any]:
    deaf = dict.fromkeys((SupplierDelivered, SupplierStatementRecorded), lambda event: [])
    return patch.dict(cast("dict[type[Event], Any]", inventory_reactions), deaf)


@planted("NoPlaintext")
def goods_of_a_supplier_go_on_unsealed() -> AbstractContextManager[Any]:
    seal = Sealer.seal

    def readable(self: Sealer, plain: str, context: str) -> str:
        return json.loads(plain)[0] if plain.startswith('["CODE-') else seal(self, plain, context)

    return patch.object(Sealer, "seal", readable)


@planted("EvidenceSettled")
def a_late_bill_is_not_booked() -> AbstractContextManager[Any]:
    return patch.dict(cast("dict[type[Event], Any]", ledger_reactions), {SupplierStatementRecorded: lambda event: []})


@planted("EvidenceSettled")
def a_won_claim_is_not_booked() -> AbstractContextManager[Any]:
    return patch.dict(cast("dict[type[Event], Any]", ledger_reactions), {SupplierClaimWon: lambda event: []})


@planted("LinksClosed")
def a_lapsed_order_leaves_its_link_open() -> AbstractContextManager[Any]:
    def leave(event: OrderCancelled) -> list[Command]:
        return [VoidHold(order_id=event.order_id, reason=event.reason)] if event.paid else []

    return patch.dict(cast("dict[type[Event], Reaction]", ledger_reactions), {OrderCancelled: leave})


@planted("LinksClosed")
def nobody_records_that_a_payment_was_closed() -> AbstractContextManager[Any]:
    return patch.object(closing, "_ended", lambda command, state: [])
