"""Returns of money to where it came from: through the channel, tried again, or paid by a person."""

from __future__ import annotations

from collections import Counter

from services.ledger.domain.payment.state import UNMATCHED, Payment, Return, item_id
from services.ledger.domain.postings import transfer
from shared.contracts import Event, Money, Refused, replace
from shared.contracts.ledger import (
    UNASKED_RETURN,
    ListedReturn,
    PaymentReturned,
    PaymentUnmatched,
    Posting,
    Postings,
    RecordReturn,
    RecordReturnByHand,
    RetryRefund,
    RetryReturn,
    ReturnedByHand,
    ReturnFailed,
    ReturnPayment,
    ReturnRequested,
    UnmatchedSettled,
)


def request(command: ReturnPayment, state: Payment, available: Money) -> list[Event]:
    """Request a return, once. `available` is what the payment's account can pay out."""
    if command.return_id in state.returns:
        return []
    if command.amount.amount <= 0:
        raise ValueError(f"a return of {command.amount}")
    part = _part(command.amount, state)
    if part is None or available < command.amount:
        return [_failed(command.payment_id, command.return_id, Return(command.amount), _too_little(state, available))]
    return _requested(command.payment_id, command.return_id, part, state)


def retry(command: RetryReturn | RetryRefund, state: Payment, available: Money) -> list[Event]:
    """Request a failed return again. `available` is what the return's account can pay out.

    RetryReturn refuses `unknown-return`, `return-under-way`, `already-returned` and `nothing-to-return`. It refuses
    `paid-otherwise` if the channel paid back another amount, because the channel would find the same again. RetryRefund
    does nothing instead, or fails once more.
    """
    part = state.returns.get(command.return_id)
    is_retryable = part is not None and part.status == "failed"
    if isinstance(command, RetryRefund) and not is_retryable:
        return []
    part = _failed_part(command.payment_id, command.return_id, state)
    again = _again(part, state)
    if part.paid is not None:
        code, reason = "paid-otherwise", _otherwise(part.paid)
    elif again is None or available < again.whole:
        code, reason = "nothing-to-return", _too_little(state, available)
    else:
        return _requested(command.payment_id, command.return_id, again, state, again=True)
    if isinstance(command, RetryReturn):
        raise Refused(code, reason)
    return [_failed(command.payment_id, command.return_id, part, reason)]


def by_hand(command: RecordReturnByHand, state: Payment, available: Money) -> list[Event]:
    """Record that a person paid the rest of a failed return. Refuses what `retry` refuses, except `paid-otherwise`."""
    part = _failed_part(command.payment_id, command.return_id, state)
    again = _again(part, state)
    if again is None or available < again.whole:
        raise Refused("nothing-to-return", _too_little(state, available))
    channel = _channel(command.return_id, state)
    returned = ReturnedByHand(
        payment_id=command.payment_id,
        return_id=command.return_id,
        amount=again.amount + part.covered,
        note=command.note,
        account=again.account,
        postings=_postings(again, state, f"by-hand:{channel}", channel),
    )
    return [returned, *_settling(command.payment_id, command.return_id, state, "by-hand", command.note)]


def record(command: RecordReturn, state: Payment) -> list[Event]:
    """Record the channel's answer to a return under way, and the other returns that it lists."""
    unasked = _unasked(command, state)
    part = state.returns.get(command.return_id)
    if part is None or part.status != "requested":
        return unasked
    if not command.returned:
        return [_not_returned(command, part, state), *unasked]
    return [
        _returned(command.payment_id, command.return_id, part, state),
        *_settling(command.payment_id, command.return_id, state, "returned"),
        *unasked,
    ]


def _unasked(command: RecordReturn, state: Payment) -> list[Event]:
    """Events for listed returns that nobody requested, and for requested ones that were paid twice. Money has left, and
    a person must find out why."""
    unasked, counts = list[Event](), Counter({command.return_id: 1})
    for listed in command.others:
        counts[listed.return_id] += 1
        item = item_id(
            command.payment_id, state.channel, f"{listed.return_id}\n{counts[listed.return_id]}\n{UNASKED_RETURN}"
        )
        is_known = counts[listed.return_id] == 1 and _is_known(listed, state)
        if is_known or item in state.items:
            continue
        event = PaymentUnmatched(
            payment_id=command.payment_id,
            item=item,
            channel=state.channel,
            channel_ref=listed.return_id,
            callback_id="listed",
            amount=listed.amount,
            expected=state.amount,
            reason=UNASKED_RETURN,
            order_id=state.order_id,
            postings=(),
        )
        unasked.append(event)
    return unasked


def _is_known(listed: ListedReturn, state: Payment) -> bool:
    """Whether the books have this return with this amount. One under way is compared when its own answer comes."""
    part = state.returns.get(listed.return_id)
    if part is None:
        return False
    is_same = part.status == "returned" and part.amount == listed.amount
    return is_same or part.status == "requested" or part.paid == listed.amount


def _not_returned(command: RecordReturn, part: Return, state: Payment) -> ReturnFailed:
    """A failed return. A part that the channel paid all the same is booked at once. The shop bears what exceeds the
    amount or is in another currency."""
    failed = _failed(command.payment_id, command.return_id, part, command.reason)
    if command.paid is None or command.paid.amount == 0:
        return failed
    channel, covered = _channel(command.return_id, state), replace(part, paid=command.paid).covered
    more = command.paid - covered if covered.currency == command.paid.currency else command.paid
    postings = (
        *_moved(part.account or state.account, f"channel:{channel}", covered),
        *_moved(f"difference:{channel}", f"channel:{channel}", more),
    )
    return failed.model_copy(update={"paid": command.paid, "postings": postings})


def _moved(debit: str, credit: str, amount: Money) -> tuple[Posting, ...]:
    return transfer(debit, credit, amount) if amount.amount else ()


def _again(part: Return, state: Payment) -> Return | None:
    """The part of a failed return that must still go back."""
    return part.rest if part.account else _part(part.rest.whole, state)


def _otherwise(paid: Money) -> str:
    return f"the channel has paid back {paid} as this return, and does not pay it again; pay the rest by hand"


def _part(amount: Money, state: Payment) -> Return | None:
    """The return of this amount of the payment. What the channel collected goes back; what the shop added stays with
    it."""
    left = state.returnable
    if left.currency != amount.currency:
        return None
    if amount <= left:
        return Return(amount)
    difference = amount - left
    return Return(left, difference=difference) if difference <= state.added else None


def _requested(payment_id: str, return_id: str, part: Return, state: Payment, *, again: bool = False) -> list[Event]:
    item = state.items.get(return_id.removeprefix(UNMATCHED)) if return_id.startswith(UNMATCHED) else None
    requested = ReturnRequested(
        payment_id=payment_id,
        return_id=return_id,
        amount=part.amount,
        channel=_channel(return_id, state),
        channel_ref=item.channel_ref if item else state.channel_ref,
        account=part.account,
        difference=part.difference,
        again=again,
    )
    if part.amount.amount:
        return [requested]
    # Only what the shop had added is left, so the channel has nothing to pay back.
    return [requested, _returned(payment_id, return_id, part, state)]


def _channel(return_id: str, state: Payment) -> str:
    part = state.returns.get(return_id)
    if part is not None and part.account is not None:
        return part.account.partition(":")[2]
    return state.channel


def _returned(payment_id: str, return_id: str, part: Return, state: Payment) -> PaymentReturned:
    channel = part.account.partition(":")[2] if part.account else state.channel
    return PaymentReturned(
        payment_id=payment_id,
        return_id=return_id,
        amount=part.amount,
        account=part.account,
        postings=_postings(part, state, f"channel:{channel}", channel),
    )


def _postings(part: Return, state: Payment, credit: str, channel: str) -> Postings:
    account = part.account or state.account
    if part.difference is None:
        return transfer(account, credit, part.amount)
    return (*_moved(account, credit, part.amount), *_moved(account, f"difference:{channel}", part.difference))


def _settling(payment_id: str, return_id: str, state: Payment, how: str, note: str = "") -> list[Event]:
    """The event that settles an unmatched item whose money a return gives back."""
    item = state.items.get(return_id.removeprefix(UNMATCHED)) if return_id.startswith(UNMATCHED) else None
    if item is None:
        return []
    settled = UnmatchedSettled(
        payment_id=payment_id,
        item=return_id.removeprefix(UNMATCHED),
        how=how,
        amount=item.amount,
        note=note,
        order_id=state.order_id,
        postings=(),
    )
    return [settled]


def _failed_part(payment_id: str, return_id: str, state: Payment) -> Return:
    """A return that failed. Raises Refused."""
    part = state.returns.get(return_id)
    if part is None:
        raise Refused("unknown-return", f"payment {payment_id} has no return {return_id}", status=404)
    if part.status == "requested":
        raise Refused("return-under-way", "the channel is being asked for this return")
    if part.status != "failed":
        raise Refused("already-returned", "this return has already ended")
    return part


def _failed(payment_id: str, return_id: str, part: Return, reason: str) -> ReturnFailed:
    return ReturnFailed(
        payment_id=payment_id, return_id=return_id, amount=part.amount, reason=reason, account=part.account
    )


def _too_little(state: Payment, available: Money) -> str:
    left = [available] if state.returnable.currency != available.currency else [available, state.returnable]
    return f"only {min(left, key=lambda money: money.amount)} can be paid back"
