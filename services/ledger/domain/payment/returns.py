"""Money that goes back to where it came from: asked of the channel, tried again, or paid by a person."""

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
    """Ask for a return, once. `available` is what the payment's account can pay out."""
    if command.return_id in state.returns:
        return []
    if command.amount.amount <= 0:
        raise ValueError(f"a return of {command.amount}")
    part = _part(command.amount, state)
    if part is None or available < command.amount:
        return [_failed(command.payment_id, command.return_id, Return(command.amount), _too_little(state, available))]
    return _requested(command.payment_id, command.return_id, part, state)


def retry(command: RetryReturn | RetryRefund, state: Payment, available: Money) -> list[Event]:
    """Ask again for a return that failed. `available` is what the return's account can pay out.

    RetryReturn refuses `unknown-return`, `return-under-way`, `already-returned`, `nothing-to-return`, and
    `paid-otherwise` where the channel paid back another amount: it would find the same again. RetryRefund does nothing
    instead, or fails once more.
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
    """Refuses what `retry` refuses but `paid-otherwise`: then a person pays what is left."""
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
    """What the channel said to a return that is under way, and what else it lists."""
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
    """Returns that nobody asked for, and ours that were paid once more: money left, and a person must find out why."""
    unasked, seen = list[Event](), Counter({command.return_id: 1})
    for listed in command.others:
        seen[listed.return_id] += 1
        item = item_id(
            command.payment_id, state.channel, f"{listed.return_id}\n{seen[listed.return_id]}\n{UNASKED_RETURN}"
        )
        is_known = seen[listed.return_id] == 1 and _is_known(listed, state)
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
    """Whether the books say the same; what is still asked for is compared by its own answer."""
    part = state.returns.get(listed.return_id)
    if part is None:
        return False
    is_same = part.status == "returned" and part.amount == listed.amount
    return is_same or part.status == "requested" or part.paid == listed.amount


def _not_returned(command: RecordReturn, part: Return, state: Payment) -> ReturnFailed:
    """What the channel paid back all the same is booked at once; what is more than the amount, or is in another
    currency, is ours to bear."""
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
    """What is still to go back of a return that failed."""
    return part.rest if part.account else _part(part.rest.whole, state)


def _otherwise(paid: Money) -> str:
    return f"the channel has paid back {paid} as this return, and will not pay it again: pay the rest by hand"


def _part(amount: Money, state: Payment) -> Return | None:
    """The return of this much of the payment: what the channel collected goes back, what we added comes to us."""
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
    # Only what we had added is left: the channel has nothing to pay back.
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
    """What a return settles: the whole of what had come and fitted no payment."""
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
        raise Refused("already-returned", "this return has ended already")
    return part


def _failed(payment_id: str, return_id: str, part: Return, reason: str) -> ReturnFailed:
    return ReturnFailed(
        payment_id=payment_id, return_id=return_id, amount=part.amount, reason=reason, account=part.account
    )


def _too_little(state: Payment, available: Money) -> str:
    left = [available] if state.returnable.currency != available.currency else [available, state.returnable]
    return f"only {min(left, key=lambda money: money.amount)} can be paid back"
