"""Placing an order, once for each order number."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from services.order.domain.facts import Market
from services.order.domain.quote import quote
from services.order.domain.state import Order
from shared.contracts import Decided, DecisionContext, Money, Refused
from shared.contracts.order import WALLET, OrderPlaced, PlaceOrder, Wish
from shared.values import identities
from shared.values.identities import NoCanonicalForm

SAME_ORDER = {"wishes", "customer", "payment", "sales_channel", "channel_order_no"}


def place(command: PlaceOrder, order: Order, given: DecisionContext) -> Decided:
    """Answers {"order_id", "total" (minor units), "currency"}; of a new order also "lines", as OrderPlaced has them,
    "pay_by" and "placed_at" (ISO 8601); of an order already placed "repeated".

    Refuses what `quote` refuses, and `order-number-taken`, `customer-needed`, `wrong-target`, `wrong-email`,
    `price-changed` and `currency-not-traded`.
    """
    if order.phase != "new":
        # an order of an earlier version has the fingerprint of the texts as they were typed
        if order.fingerprint != _fingerprint(command) and order.fingerprint != _fingerprint(_canonical(command)):
            raise Refused("order-number-taken", f"{command.order_id} is another order", order_id=command.order_id)
        return Decided([], {**_answer(command.order_id, order.total), "repeated": True})
    command = _canonical(command)
    if command.payment == WALLET and command.customer is None:
        raise Refused("customer-needed", "only a customer can pay from a wallet", status=422)
    placed = _placed(command, given)
    if command.expected_total not in (None, placed.total):
        total = placed.total
        raise Refused("price-changed", f"this costs {total} now", total=total.amount, currency=total.currency)
    new = {
        "lines": [line.model_dump(mode="json") for line in placed.lines],
        "pay_by": placed.pay_by.isoformat(),
        "placed_at": given.now.isoformat(),
    }
    return Decided([placed], {**_answer(command.order_id, placed.total), **new})


def _placed(command: PlaceOrder, given: DecisionContext) -> OrderPlaced:
    market: Market = given.facts
    lines = quote(command.wishes, market.listings)
    given.shop.check(lines[0].amount.currency)
    wait = market.time_limits.wait("answers" if command.payment == WALLET else "payment", 1, given.now)
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
        fingerprint=_fingerprint(command),
        pay_by=wait.until,
        reserved_until=given.now + market.time_limits.reserve_for,
        wait=wait,
    )


def _canonical(command: PlaceOrder) -> PlaceOrder:
    """The command with targets and e-mail address in their canonical form; none for an empty target.

    Refuses `wrong-target` and `wrong-email`.
    """
    wishes = tuple(_wish(wish) for wish in command.wishes)
    email = _form(identities.email, command.email, "wrong-email") if command.email else ""
    if (wishes, email) == (command.wishes, command.email):
        return command
    return command.model_copy(update={"wishes": wishes, "email": email})


def _wish(wish: Wish) -> Wish:
    target = _form(identities.target, wish.target, "wrong-target") if wish.target else None
    return wish if target == wish.target else wish.model_copy(update={"target": target})


def _form(form: Callable[[str], str], text: str, code: str) -> str:
    try:
        return form(text)
    except NoCanonicalForm as error:
        raise Refused(code, f"the {error}", status=422) from None


def _answer(order_id: str, total: Money) -> dict[str, str | int | bool]:
    return {"order_id": order_id, "total": total.amount, "currency": total.currency}


def _fingerprint(command: PlaceOrder) -> str:
    """SHA-256 of the canonical JSON of the fields that make two commands the same order."""
    same = json.dumps(command.model_dump(mode="json", include=SAME_ORDER), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(same.encode()).hexdigest()
