"""Bugs of the services' own rules: stock, money, screening, keys."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from services.fulfillment.adapters.vault import Vault
from services.fulfillment.domain.keys import Opened, Opening
from services.inventory.domain import stock
from services.ledger.domain import hold
from services.order import reactions as order_reactions
from services.order.domain import saga
from services.order.domain.state import Order
from shared.contracts import (
    DecisionContext,
    Event,
    Money,
    replace,
    zero,
)
from shared.contracts.ledger import CaptureHold, Posting
from shared.contracts.order import RecordPayment, RecordScreening
from shared.contracts.risk import CaseDecided
from tests.simulation.planted.registry import planted


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


@planted("ScreenedOnly")
def a_blocked_order_is_reopened_by_a_late_payment() -> AbstractContextManager[Any]:
    pay = saga.record_payment

    def believing(command: RecordPayment, order: Order, given: DecisionContext) -> list[Event]:
        if order.cancelled_for == "blocked":
            order = replace(order, cancelled_for="unpaid", screening="pass")
        return pay(command, order, given)

    return patch.object(saga, "record_payment", believing)


@planted("ScreenedOnly")
def an_order_under_review_is_delivered() -> AbstractContextManager[Any]:
    def joined(self: Order) -> bool:
        from_stock = {line.line for line in self.lines if line.source == "keys"}
        return self.screening in ("pass", "review") and self.paid and self.reserved >= from_stock

    return patch.object(Order, "joined", property(joined))


@planted("ScreenedOnly")
def a_block_by_a_person_is_not_heard() -> AbstractContextManager[Any]:
    def let_pass(event: CaseDecided) -> list[RecordScreening]:
        return [RecordScreening(order_id=event.order_id, decision="pass")]

    return patch.dict(order_reactions.REACTIONS, {CaseDecided: let_pass})


@planted("ValueOnce")
def a_refunded_key_is_replaced_too() -> AbstractContextManager[Any]:
    return patch.object(Order, "refundable", property(lambda self: self.delivered))


@planted("ValueOnce")
def a_replaced_key_is_refunded_too() -> AbstractContextManager[Any]:
    return patch.object(Order, "claimed", property(lambda self: zero(self.total.currency)))


@planted("NoPlaintext")
def a_key_goes_out_unsealed() -> AbstractContextManager[Any]:
    def reseal(self: Vault, opening: Opening) -> Opened:
        return Opened(envelope=json.dumps([self._opener.open(key.box, context=opening.sku) for key in opening.keys]))

    return patch.object(Vault, "reseal", reseal)
