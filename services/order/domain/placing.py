"""Placing an order, once for each order number."""

from __future__ import annotations

import hashlib
import json

from services.order.domain.facts import Market
from services.order.domain.quote import quote
from services.order.domain.state import Order
from shared.contracts import Decided, Given, Money, Refused
from shared.contracts.order import WALLET, OrderPlaced, PlaceOrder

SAME_ORDER = {"wishes", "customer", "payment", "sales_channel", "channel_order_no"}


def place(command: PlaceOrder, order: Order, given: Given) -> Decided:
    """Answers {"order_id", "total" (minor units), "currency", "pay_by"}, and "repeated" for an order already placed.

    Refuses what `quote` refuses, and `order-number-taken`, `customer-needed` and `price-changed`.
    """
    fingerprint = _fingerprint(command)
    if order.phase != "new":
        if order.fingerprint != fingerprint:
            raise Refused("order-number-taken", f"{command.order_id} is another order", order_id=command.order_id)
        return Decided([], {**_answer(command.order_id, order.total), "repeated": True})
    if command.payment == WALLET and command.customer is None:
        raise Refused("customer-needed", "only a customer can pay from a wallet", status=422)
    placed = _placed(command, fingerprint, given)
    if command.expected_total not in (None, placed.total):
        total = placed.total
        raise Refused("price-changed", f"this costs {total} now", total=total.amount, currency=total.currency)
    return Decided([placed], {**_answer(command.order_id, placed.total), "pay_by": placed.pay_by.isoformat()})


def _placed(command: PlaceOrder, fingerprint: str, given: Given) -> OrderPlaced:
    market: Market = given.facts
    lines = quote(command.wishes, market.offers)
    wait = market.limits.wait("answers" if command.payment == WALLET else "payment", 1, given.now)
    return OrderPlaced(
        order_id=command.order_id,
        customer=command.customer,
        lines=lines,
        total=Money(amount=sum(line.amount.amount for line in lines), currency=lines[0].amount.currency),
        payment=command.payment,
        sales_channel=command.sales_channel,
        channel_order_no=command.channel_order_no,
        buyer_key=command.buyer_key,
        ip=command.ip,
        device=command.device,
        email=command.email,
        locale=command.locale,
        agent=command.agent,
        fingerprint=fingerprint,
        pay_by=wait.until,
        reserved_until=given.now + market.limits.reserve_for,
        wait=wait,
    )


def _answer(order_id: str, total: Money) -> dict[str, str | int | bool]:
    return {"order_id": order_id, "total": total.amount, "currency": total.currency}


def _fingerprint(command: PlaceOrder) -> str:
    """SHA-256 of the canonical JSON of what makes two commands the same order."""
    same = json.dumps(command.model_dump(mode="json", include=SAME_ORDER), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(same.encode()).hexdigest()
