"""Decisions of people about unmatched money: match it to its payment or a wallet, give it back, or settle it by
hand."""

from __future__ import annotations

from services.ledger.domain.payment.state import UNMATCHED, Item, Payment
from services.ledger.domain.payment.statements import suspense
from services.ledger.domain.postings import transfer
from shared.contracts import Event, Money, Refused, Shop
from shared.contracts.ledger import (
    GiveBackPayment,
    MatchPayment,
    PaymentReceived,
    Posting,
    ReturnRequested,
    SettlePayment,
    UnmatchedSettled,
)

SURPLUS = "surplus:"


def match(command: MatchPayment, state: Payment, shop: Shop) -> list[Event]:
    """Refuses `unknown-item`, `already-settled`, `return-under-way`, `nothing-booked`, `no-payment`, `already-paid`,
    `currency-mismatch`, `paid-otherwise` if the channel has paid some of it back, and `currency-not-traded` for money
    to a wallet that could not leave it again."""
    item = _open(command.item, state)
    _require_whole(item)
    if not item.booked:
        raise Refused("nothing-booked", "nothing is booked for this item: there is no money to match")
    if command.wallet is not None:
        shop.check(item.amount.currency)
        postings = transfer(suspense(item.channel), f"wallet:{command.wallet}", item.amount)
        return [_settled(command, state, item, "matched", postings)]
    return [*_paid(command, state, item, shop), _settled(command, state, item, "matched")]


def give_back(command: GiveBackPayment, state: Payment) -> list[Event]:
    """Refuses `unknown-item`, `already-settled`, `return-under-way`, `nothing-booked` and `paid-otherwise`."""
    item = _open(command.item, state)
    _require_whole(item)
    if not item.booked:
        raise Refused(
            "nothing-booked",
            "nothing is booked for this item: there is no money to give back",
        )
    return_id = f"{UNMATCHED}{command.item}"
    return [_returning(command.payment_id, return_id, item.amount, item, again=return_id in state.returns)]


def settle(command: SettlePayment, state: Payment) -> list[Event]:
    """Refuses `unknown-item`, `already-settled` and `return-under-way`."""
    item = _open(command.item, state)
    postings = (
        transfer(suspense(item.channel), f"by-hand:{item.channel}", item.amount)
        if item.booked and item.amount.amount
        else ()
    )
    return [_settled(command, state, item, "by-hand", postings)]


def _open(name: str, state: Payment) -> Item:
    item = state.items.get(name)
    if item is None:
        raise Refused("unknown-item", "no money of this payment waits under this id", status=404)
    if item.status == "settled":
        raise Refused("already-settled", "this item is already settled")
    if item.status == "returning":
        raise Refused("return-under-way", "the channel is being asked to give this money back")
    return item


def _require_whole(item: Item) -> None:
    if item.is_rest:
        detail = "the channel has paid back another amount; pay the rest by hand, and settle the item"
        raise Refused("paid-otherwise", detail)


def _paid(command: MatchPayment, state: Payment, item: Item, shop: Shop) -> list[Event]:
    """A deposit gets the amount that came. An order is paid in full: the shop adds what is missing, and gives back what
    is too much."""
    if state.status == "none":
        raise Refused("no-payment", "there is no such payment: match it to a wallet, or give it back")
    if state.status == "received":
        raise Refused("already-paid", "this payment was already received: match the money to a wallet, or give it back")
    source, amount = suspense(item.channel), item.amount
    if state.order_id is None:
        shop.check(amount.currency)
        return [_received(command, state, item, amount, transfer(source, state.account, amount))]
    if amount.currency != state.amount.currency:
        raise Refused("currency-mismatch", f"the order costs {state.amount}: give this back")
    if state.amount < amount:
        received = _received(command, state, item, state.amount, transfer(source, state.account, state.amount))
        surplus = amount - state.amount
        return [received, _returning(command.payment_id, f"{SURPLUS}{command.item}", surplus, item)]
    added = state.amount - amount
    postings = (
        Posting(account=source, amount=amount),
        *((Posting(account=f"difference:{item.channel}", amount=added),) if added.amount else ()),
        Posting(account=state.account, amount=-state.amount),
    )
    return [_received(command, state, item, state.amount, postings)]


def _received(
    command: MatchPayment, state: Payment, item: Item, amount: Money, postings: tuple[Posting, ...]
) -> PaymentReceived:
    return PaymentReceived(
        payment_id=command.payment_id,
        account=state.account,
        amount=amount,
        channel=item.channel,
        channel_ref=item.channel_ref,
        callback_id=command.item,
        order_id=state.order_id,
        came=item.amount if item.amount < amount else None,
        postings=postings,
    )


def _returning(payment_id: str, return_id: str, amount: Money, item: Item, *, again: bool = False) -> ReturnRequested:
    return ReturnRequested(
        payment_id=payment_id,
        return_id=return_id,
        amount=amount,
        channel=item.channel,
        channel_ref=item.channel_ref,
        account=suspense(item.channel),
        again=again,
    )


def _settled(
    command: MatchPayment | SettlePayment,
    state: Payment,
    item: Item,
    how: str,
    postings: tuple[Posting, ...] = (),
) -> UnmatchedSettled:
    return UnmatchedSettled(
        payment_id=command.payment_id,
        item=command.item,
        how=how,
        amount=item.amount,
        note=command.note,
        order_id=state.order_id,
        postings=postings,
    )
