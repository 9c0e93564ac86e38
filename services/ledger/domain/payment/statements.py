"""Statements of payment channels about payments.

A statement is the payment, a repetition, a "no", or money that matches no payment. Money that matches none is booked on
a suspense account, once for each reference of the channel, and waits for a person."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from services.ledger.domain.payment.state import FAILED, Payment, item_id, statement
from services.ledger.domain.postings import transfer
from shared.contracts import Decided, Money, zero
from shared.contracts.ledger import (
    ANOTHERS_REFERENCE,
    OTHER_REFERENCE,
    SHARED_REFERENCE,
    UNREAD_ANSWER,
    CallbackRefused,
    PaymentReceived,
    PaymentUnmatched,
    Posting,
    RecordCallback,
    UnmatchedSettled,
)

RefusalReason = Literal["bad-signature", "replayed", "wrong-channel", "unknown-payment", "wrong-reference", "failed"]

# The answer to the channel for a statement that matches no payment, by the reason that people see.
ANSWERS = {
    "amount-mismatch": "wrong-amount",
    "currency-mismatch": "wrong-amount",
    "wrong-channel": "wrong-channel",
    "wrong-reference": "wrong-reference",
    SHARED_REFERENCE: "wrong-reference",
    ANOTHERS_REFERENCE: "wrong-reference",
    "unknown-payment": "unknown-payment",
    "paid-twice": "replayed",
    "contradiction": "wrong-amount",
    "failed-after-paid": "replayed",
    UNREAD_ANSWER: FAILED,
}


def suspense(channel: str) -> str:
    """The account for a channel's money that matches no payment."""
    return f"suspense:{channel}"


def record(command: RecordCallback, state: Payment, owner: str | None) -> Decided:
    """Record a statement. `owner` is the payment that already has this reference of the channel, or None."""
    if not command.authentic:
        return _refused(command, state, "bad-signature")
    if command.status == FAILED:
        return _no(command, state)
    item = item_id(command.payment_id, command.channel, command.channel_ref)
    booked = state.booked.get(item)
    if booked == command.amount:
        return _repeated(command, state)
    is_anothers = owner not in (None, command.payment_id)
    is_shared = is_anothers and command.channel_ref == state.channel_ref and command.channel == state.channel
    if booked is not None:
        return _corrected(command, state, booked, is_shared=is_shared)
    if is_anothers and not is_shared:
        return _of_another(command, state, owner)
    if command.amount.amount == 0:  # it contradicts itself: paid, with an amount of zero
        return _contradiction(command, state)
    reason = SHARED_REFERENCE if is_shared else _misfit(command, state)
    return _unmatched(command, state, item, reason) if reason else _received(command, state)


def _no(command: RecordCallback, state: Payment) -> Decided:
    """The channel says that nobody paid. It may say otherwise later."""
    if state.status == "none":
        return _refused(command, state, "unknown-payment")
    if command.channel != state.channel:
        return _refused(command, state, "wrong-channel")
    if state.status == "received":
        return _answered("replayed") if command.in_vain else _contradiction(command, state)
    if command.unread:
        return _not_understood(command, state)
    if state.said == FAILED:
        return _answered(FAILED)
    return _refused(command, state, FAILED)


def _of_another(command: RecordCallback, state: Payment, owner: str | None) -> Decided:
    """The statement names the reference of another payment, its `owner`. Nothing is booked twice for one reference. An
    item, made once, lets a person find out whether somebody paid this payment as well."""
    decided = _refused(command, state, "unknown-payment" if state.status == "none" else "wrong-reference", owner)
    item = item_id(command.payment_id, command.channel, f"{command.channel_ref}\n{ANOTHERS_REFERENCE}", command.amount)
    if item in state.items or command.amount.amount == 0:
        return decided
    item_opened = _unmatched(command, state, item, ANOTHERS_REFERENCE, booked=False)
    return Decided([*decided.events, *item_opened.events], decided.answer)


def _not_understood(command: RecordCallback, state: Payment) -> Decided:
    """Asking is over, and the last answer can't be read. An item, made once, lets a person find out whether it was
    paid."""
    item = item_id(command.payment_id, command.channel, f"\n{UNREAD_ANSWER}")
    if item in state.items:
        return _answered(FAILED)
    nothing = command.model_copy(update={"amount": zero(command.amount.currency)})
    return _unmatched(nothing, state, item, UNREAD_ANSWER, booked=False)


def opened_otherwise(payment_id: str, channel_ref: str, callback_id: str, state: Payment) -> list[PaymentUnmatched]:
    """The channel opened the payment under another reference than it was paid under. One of the two is wrong, and the
    money may belong to another payment. Nothing moves; an item, made once, lets a person find out."""
    item = item_id(payment_id, state.channel, f"{channel_ref}\n{OTHER_REFERENCE}")
    if item in state.items:
        return []
    unmatched = PaymentUnmatched(
        payment_id=payment_id,
        item=item,
        channel=state.channel,
        channel_ref=channel_ref,
        callback_id=callback_id,
        amount=state.came or state.amount,
        expected=state.amount,
        reason=OTHER_REFERENCE,
        order_id=state.order_id,
        postings=(),
    )
    return [unmatched]


def _repeated(command: RecordCallback, state: Payment) -> Decided:
    item = state.item_of(command.channel, command.channel_ref)
    if item is None:
        return Decided(answer={"outcome": "already-received"})
    reason = ANSWERS[state.items[item].reason]
    said = statement(command.status, command.channel, command.channel_ref, command.amount)
    return _answered(reason) if said == state.said else _refused(command, state, "replayed")


def _corrected(command: RecordCallback, state: Payment, booked: Money, *, is_shared: bool) -> Decided:
    """The channel names another amount for a reference. If the item of the reference is open, the new amount replaces
    it."""
    item = state.item_of(command.channel, command.channel_ref)
    waits = state.items[item] if item else None
    if item is None or waits is None or waits.status != "open" or waits.is_rest or command.amount.amount == 0:
        return _contradiction(command, state)
    settled = UnmatchedSettled(
        payment_id=command.payment_id,
        item=item,
        how="corrected",
        amount=booked,
        note="the channel named another amount",
        order_id=state.order_id,
        postings=transfer(suspense(command.channel), f"channel:{command.channel}", booked),
    )
    if reason := SHARED_REFERENCE if is_shared else _misfit(command, state):
        number = sum(it.channel_ref == command.channel_ref for it in state.items.values())
        again = item_id(command.payment_id, command.channel, f"{command.channel_ref}\n{number}", command.amount)
        decided = _unmatched(command, state, again, reason)
    else:
        decided = _received(command, state)
    return Decided([settled, *decided.events], decided.answer)


def _contradiction(command: RecordCallback, state: Payment) -> Decided:
    """Open an item without booking: nothing is booked twice for one reference, and a person must find out which
    statement is true."""
    has_failed = command.status == FAILED
    said = zero(command.amount.currency) if has_failed else command.amount
    item = item_id(command.payment_id, command.channel, command.channel_ref, said)
    reason = "failed-after-paid" if has_failed else "contradiction"
    if item in state.items:
        return _answered(ANSWERS[reason])
    return _unmatched(command, state, item, reason, booked=False)


def _misfit(command: RecordCallback, state: Payment) -> str | None:
    """The reason why a statement does not match the payment, None if it does. A payment whose opening failed may still
    be paid at the channel."""
    if state.status == "none":
        return "unknown-payment"
    if command.channel != state.channel:
        return "wrong-channel"
    if state.status == "received":
        return "paid-twice"
    # A callback may come before the answer to the opening. The reference is then not known yet.
    if not command.channel_ref or state.channel_ref not in ("", command.channel_ref):
        return "wrong-reference"
    if command.amount.currency != state.amount.currency:
        return "currency-mismatch"
    return None if command.amount == state.amount else "amount-mismatch"


def _received(command: RecordCallback, state: Payment) -> Decided:
    received = PaymentReceived(
        payment_id=command.payment_id,
        account=state.account,
        amount=state.amount,
        channel=state.channel,
        channel_ref=command.channel_ref,
        callback_id=command.callback_id,
        order_id=state.order_id,
        postings=transfer(f"channel:{state.channel}", state.account, state.amount),
    )
    return Decided([received], {"outcome": "received"})


def _unmatched(command: RecordCallback, state: Payment, item: str, reason: str, *, booked: bool = True) -> Decided:
    postings: tuple[Posting, ...] = ()
    if booked:
        postings = transfer(f"channel:{command.channel}", suspense(command.channel), command.amount)
    event = PaymentUnmatched(
        payment_id=command.payment_id,
        item=item,
        channel=command.channel,
        channel_ref=command.channel_ref,
        callback_id=command.callback_id,
        amount=command.amount,
        expected=None if state.status == "none" else state.amount,
        reason=reason,
        order_id=state.order_id,
        ask_until=None if reason == UNREAD_ANSWER else _ask_until(state),
        postings=postings,
    )
    return Decided([event], _answered(ANSWERS[reason]).answer)


def _refused(command: RecordCallback, state: Payment, reason: RefusalReason, owner: str | None = None) -> Decided:
    is_statement = command.authentic and not command.in_vain and (command.status == "paid" or reason == FAILED)
    event = CallbackRefused(
        payment_id=command.payment_id,
        channel=command.channel,
        callback_id=command.callback_id,
        reason=reason,
        channel_ref=command.channel_ref,
        amount=command.amount if is_statement else None,
        reference_of=owner,
        ask_until=_ask_until(state),
    )
    return Decided([event], _answered(reason).answer)


def _ask_until(state: Payment) -> datetime | None:
    """Until when the channel is asked; None once the payment is received."""
    return None if state.status == "received" else state.ask_until


def _answered(reason: str) -> Decided:
    return Decided(answer={"outcome": "refused", "reason": reason})
