"""A payment through a channel: opened, received once, and paid back when its order does not need it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from services.ledger.domain.chart import type_of
from services.ledger.domain.postings import transfer
from shared.contracts import Command, Decided, Event, Given, Money, Refused, replace, zero
from shared.contracts.ledger import (
    CallbackRefused,
    PaymentOpened,
    PaymentOpeningFailed,
    PaymentReceived,
    PaymentRequested,
    PaymentReturned,
    RecordCallback,
    RecordPaymentOpening,
    RecordReturn,
    RequestPayment,
    ReturnFailed,
    ReturnPayment,
    ReturnRequested,
)

RefusalReason = Literal[
    "bad-signature", "replayed", "wrong-amount", "wrong-channel", "unknown-payment", "wrong-reference", "failed"
]


@dataclass(frozen=True)
class Return:
    amount: Money
    status: Literal["requested", "returned", "failed"] = "requested"


@dataclass(frozen=True)
class Payment:
    """`channel_ref` is the channel's own name for it, empty until known; `returns` are by return id."""

    status: Literal["none", "requested", "opened", "failed", "received"] = "none"
    account: str = ""
    amount: Money = field(default_factory=zero)
    channel: str = ""
    order_id: str | None = None
    channel_ref: str = ""
    callback_id: str = ""
    returns: Mapping[str, Return] = field(default_factory=dict)

    @property
    def returnable(self) -> Money:
        """What was received and is neither returned nor on its way back."""
        if self.status != "received":
            return zero(self.amount.currency)
        going = (part.amount for part in self.returns.values() if part.status != "failed")
        return self.amount - sum(going, zero(self.amount.currency))


def decide(command: Command, state: Payment, given: Given) -> list[Event] | Decided:
    """Facts: for RequestPayment the names of the known channels, for RecordCallback the payment that already has this
    channel reference (None when none has), for ReturnPayment the Money available on the payment's account."""
    match command:
        case RequestPayment():
            return _request(command, state, given.facts)
        case RecordPaymentOpening():
            return _opening(command, state)
        case RecordCallback():
            return _callback(command, state, given.facts)
        case ReturnPayment():
            return _return(command, state, given.facts)
        case RecordReturn():
            return _returned(command, state)
        case _:
            raise TypeError(f"a payment does not decide {type(command).__name__}")


def evolve(state: Payment, event: Event) -> Payment:
    match event:
        case PaymentRequested():
            return replace(
                state,
                status="requested",
                account=event.account,
                amount=event.amount,
                channel=event.channel,
                order_id=event.order_id,
            )
        case PaymentOpened():
            return replace(state, status="opened", channel_ref=event.channel_ref)
        case PaymentOpeningFailed():
            return replace(state, status="failed")
        case PaymentReceived():
            return replace(state, status="received", channel_ref=event.channel_ref, callback_id=event.callback_id)
        case ReturnRequested():
            return replace(state, returns={**state.returns, event.return_id: Return(event.amount)})
        case PaymentReturned():
            return replace(state, returns={**state.returns, event.return_id: Return(event.amount, "returned")})
        case ReturnFailed():
            return replace(state, returns={**state.returns, event.return_id: Return(event.amount, "failed")})
        case _:
            return state


def _request(command: RequestPayment, state: Payment, channels: frozenset[str]) -> list[Event]:
    if state.status != "none":
        same = (state.account, state.amount, state.channel, state.order_id)
        if same != (command.account, command.amount, command.channel, command.order_id):
            raise Refused("payment-exists", f"another payment was requested as {command.payment_id}")
        return []
    if command.order_id is None:
        _check_deposit(command, channels)
    requested = PaymentRequested(
        payment_id=command.payment_id,
        account=command.account,
        amount=command.amount,
        channel=command.channel,
        order_id=command.order_id,
    )
    return [requested]


def _check_deposit(command: RequestPayment, channels: frozenset[str]) -> None:
    if command.amount.amount <= 0:
        raise Refused("bad-amount", "a deposit must be more than nothing", status=422)
    if command.channel not in channels:
        raise Refused("unknown-channel", f"no payment channel is called {command.channel}", status=422)
    if not command.account.startswith("wallet:") or type_of(command.account) != "wallet":
        raise Refused("unknown-account", f"{command.account} takes no deposits", status=422)


def _opening(command: RecordPaymentOpening, state: Payment) -> list[Event]:
    if state.status != "requested":
        return []
    if not command.opened:
        return [PaymentOpeningFailed(payment_id=command.payment_id, reason=command.reason)]
    opened = PaymentOpened(payment_id=command.payment_id, channel_ref=command.channel_ref, pay_url=command.pay_url)
    return [opened]


def _callback(command: RecordCallback, state: Payment, owner: str | None) -> Decided:
    if command.authentic and _is_repeat(command, state):
        return Decided(answer={"outcome": "already-received"})
    if reason := _doubt(command, state, owner):
        refused = CallbackRefused(
            payment_id=command.payment_id, channel=command.channel, callback_id=command.callback_id, reason=reason
        )
        return Decided([refused], {"outcome": "refused", "reason": reason})
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


def _is_repeat(command: RecordCallback, state: Payment) -> bool:
    return state.status == "received" and (command.channel, command.callback_id) == (state.channel, state.callback_id)


def _doubt(command: RecordCallback, state: Payment, owner: str | None) -> RefusalReason | None:
    """Why a callback moves no money. A payment whose opening failed for us may still be paid at the channel."""
    if not command.authentic:
        return "bad-signature"
    if state.status == "none":
        return "unknown-payment"
    if command.channel != state.channel:
        return "wrong-channel"
    if state.status == "received":
        return "replayed"
    if command.status == "failed":
        return "failed"
    if not _is_reference_of(command, state, owner):
        return "wrong-reference"
    return None if command.amount == state.amount else "wrong-amount"


def _is_reference_of(command: RecordCallback, state: Payment, owner: str | None) -> bool:
    """A callback may overtake the opening's answer; then its reference must be nobody else's."""
    if state.channel_ref:
        return command.channel_ref == state.channel_ref
    return bool(command.channel_ref) and owner in (None, command.payment_id)


def _return(command: ReturnPayment, state: Payment, available: Money) -> list[Event]:
    if command.return_id in state.returns:
        return []
    if command.amount.amount <= 0:
        raise ValueError(f"a return of {command.amount}")
    if state.returnable < command.amount or available < command.amount:
        left = min(state.returnable.amount, available.amount)
        reason = f"only {Money(amount=left, currency=available.currency)} can be paid back"
        failed = ReturnFailed(
            payment_id=command.payment_id, return_id=command.return_id, amount=command.amount, reason=reason
        )
        return [failed]
    requested = ReturnRequested(
        payment_id=command.payment_id,
        return_id=command.return_id,
        amount=command.amount,
        channel=state.channel,
        channel_ref=state.channel_ref,
    )
    return [requested]


def _returned(command: RecordReturn, state: Payment) -> list[Event]:
    part = state.returns.get(command.return_id)
    if part is None or part.status != "requested":
        return []
    if not command.returned:
        failed = ReturnFailed(
            payment_id=command.payment_id, return_id=command.return_id, amount=part.amount, reason=command.reason
        )
        return [failed]
    returned = PaymentReturned(
        payment_id=command.payment_id,
        return_id=command.return_id,
        amount=part.amount,
        postings=transfer(state.account, f"channel:{state.channel}", part.amount),
    )
    return [returned]
