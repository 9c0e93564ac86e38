"""The state of a payment, folded from its events."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from shared.contracts import Event, Money, replace, zero
from shared.contracts.ledger import (
    UNTOLD,
    CallbackRefused,
    PaymentClosed,
    PaymentClosing,
    PaymentNotClosed,
    PaymentOpened,
    PaymentOpeningFailed,
    PaymentReceived,
    PaymentRequested,
    PaymentReturned,
    PaymentUnmatched,
    ReturnedByHand,
    ReturnFailed,
    ReturnRequested,
    UnmatchedSettled,
)

UNMATCHED = "unmatched:"
FAILED = "failed"


def item_id(payment_id: str, channel: str, channel_ref: str, contradicting: Money | None = None) -> str:
    """The id of the item for a channel's reference, or for an amount that contradicts what is booked for it."""
    text = f"{payment_id}\n{channel}\n{channel_ref}\n{contradicting.model_dump_json() if contradicting else ''}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def statement(status: str, channel: str, channel_ref: str, amount: Money) -> str:
    """A channel's statement about a payment, as one text. All statements that it failed are the same."""
    return FAILED if status == FAILED else f"{status} {channel} {channel_ref} {amount.amount} {amount.currency}"


@dataclass(frozen=True)
class Return:
    """Money on its way back from `account`, the payment's own when None.

    `difference` is what the shop had added to the payment and takes back with this return. `paid` is what the channel
    paid back, if that is not `amount`; it is booked already.
    """

    amount: Money
    status: Literal["requested", "returned", "failed", "by-hand", "settled"] = "requested"
    account: str | None = None
    difference: Money | None = None
    paid: Money | None = None

    @property
    def whole(self) -> Money:
        """The amount that leaves the account."""
        return self.amount + self.difference if self.difference else self.amount

    @property
    def covered(self) -> Money:
        """The part of the amount that the channel has paid back although the return failed."""
        if self.paid is None or self.paid.currency != self.amount.currency:
            return zero(self.amount.currency)
        return min(self.paid, self.amount)

    @property
    def rest(self) -> Return:
        """The part that has not gone back."""
        return replace(self, amount=self.amount - self.covered)

    @property
    def is_back(self) -> bool:
        """Whether the money went back, or is on its way."""
        return self.status in ("requested", "returned", "by-hand")


@dataclass(frozen=True)
class Item:
    """Money that matches no payment. `booked` is False for a contradiction, which moved nothing. `is_rest` is True if
    the channel has paid back another amount than the whole."""

    channel: str
    channel_ref: str
    amount: Money
    reason: str
    booked: bool
    status: Literal["open", "returning", "settled"] = "open"
    is_rest: bool = False


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment. `channel_ref` is the channel's reference, empty until it is known; `returns` are by return id.

    `booked` has the booked amounts by `item_id` of the channel's references. `came` is what the channel collected, if
    that is less than `amount`. `said` is the newest statement that counted. `closing` is the state of closing it at the
    channel; in any state the payment may still be received.
    """

    status: Literal["none", "requested", "opened", "failed", "received"] = "none"
    account: str = ""
    amount: Money = field(default_factory=zero)
    channel: str = ""
    order_id: str | None = None
    channel_ref: str = ""
    callback_id: str = ""
    ask_until: datetime | None = None
    came: Money | None = None
    said: str = ""
    closing: Literal["", "asked", "closed", "not-closed"] = ""
    booked: Mapping[str, Money] = field(default_factory=dict)
    items: Mapping[str, Item] = field(default_factory=dict)
    returns: Mapping[str, Return] = field(default_factory=dict)

    def item_of(self, channel: str, channel_ref: str) -> str | None:
        """The open item with the amount that is booked for this reference."""
        for name, item in self.items.items():
            if (item.channel, item.channel_ref) == (channel, channel_ref) and item.booked and item.status != "settled":
                return name
        return None

    @property
    def _own_returns(self) -> list[Return]:
        return [part for part in self.returns.values() if part.account is None and part.is_back]

    @property
    def returnable(self) -> Money:
        """What was received and is neither returned nor on its way back."""
        came = self.came or self.amount
        if self.status != "received":
            return zero(came.currency)
        failed = (part.covered for part in self.returns.values() if part.account is None and not part.is_back)
        back = sum((part.amount for part in self._own_returns), zero(came.currency))
        return came - back - sum(failed, zero(came.currency))

    @property
    def added(self) -> Money:
        """What the shop added to make the payment whole, and has not taken back."""
        added = self.amount - self.came if self.came else zero(self.amount.currency)
        taken = (part.difference for part in self._own_returns if part.difference)
        return added - sum(taken, zero(added.currency))


def evolve_payment(state: Payment, event: Event) -> Payment:
    """The payment after one of its events."""
    match event:
        case PaymentRequested():
            return replace(
                state,
                status="requested",
                account=event.account,
                amount=event.amount,
                channel=event.channel,
                order_id=event.order_id,
                ask_until=event.ask_until,
            )
        case PaymentOpened():
            return replace(state, status="opened", channel_ref=event.channel_ref)
        case PaymentOpeningFailed():
            return replace(state, status="failed")
        case PaymentReceived():
            return _received(state, event)
        case PaymentClosing():
            return replace(state, closing="asked")
        case PaymentClosed():
            return replace(state, closing="closed")
        case PaymentNotClosed():
            return replace(state, closing="not-closed")
        case CallbackRefused(reason="failed"):
            return replace(state, said=FAILED)
        case CallbackRefused(amount=amount) if amount is not None:
            return replace(state, said=statement("paid", event.channel, event.channel_ref, amount))
        case PaymentUnmatched():
            return _unmatched(state, event)
        case UnmatchedSettled():
            return _settled(state, event)
        case _:
            return _moving_back(state, event)


def _received(state: Payment, event: PaymentReceived) -> Payment:
    came = event.came or event.amount
    item = item_id(event.payment_id, event.channel, event.channel_ref)
    return replace(
        state,
        status="received",
        amount=event.amount,
        channel=event.channel,
        channel_ref=event.channel_ref,
        callback_id=event.callback_id,
        came=event.came,
        said=statement("paid", event.channel, event.channel_ref, came),
        booked={item: came, **state.booked},
    )


def _unmatched(state: Payment, event: PaymentUnmatched) -> Payment:
    item = Item(event.channel, event.channel_ref, event.amount, event.reason, booked=bool(event.postings))
    said = statement("paid", event.channel, event.channel_ref, event.amount)
    return replace(
        state,
        said=state.said if event.reason in UNTOLD else said,
        booked={**state.booked, _reference(event): event.amount} if item.booked else state.booked,
        items={**state.items, event.item: item},
    )


def _reference(event: PaymentUnmatched) -> str:
    return item_id(event.payment_id, event.channel, event.channel_ref)


def _settled(state: Payment, event: UnmatchedSettled) -> Payment:
    state = _marked(state, event.item, "settled")
    if event.how == "corrected":
        item = state.items[event.item]
        reference = item_id(event.payment_id, item.channel, item.channel_ref)
        state = replace(state, booked={it: amount for it, amount in state.booked.items() if it != reference})
    return_id = f"{UNMATCHED}{event.item}"
    part = state.returns.get(return_id)
    if part is None or part.status != "failed":
        return state
    return replace(state, returns={**state.returns, return_id: replace(part, status="settled")})


def _marked(state: Payment, item: str, status: Literal["open", "returning", "settled"]) -> Payment:
    return replace(state, items={**state.items, item: replace(state.items[item], status=status)})


def _moving_back(state: Payment, event: Event) -> Payment:
    match event:
        case ReturnRequested():
            part = Return(event.amount, "requested", event.account, event.difference)
            state = replace(state, returns={**state.returns, event.return_id: part})
            return _marked(state, of, "returning") if (of := _item_of(event.return_id)) else state
        case PaymentReturned():
            return _ended(state, event, "returned")
        case ReturnedByHand():
            return _ended(state, event, "by-hand")
        case ReturnFailed():
            return _failed(_ended(state, event, "failed"), event)
        case _:
            return state


def _failed(state: Payment, event: ReturnFailed) -> Payment:
    if event.paid is not None:
        part = replace(state.returns[event.return_id], paid=event.paid)
        state = replace(state, returns={**state.returns, event.return_id: part})
    of = _item_of(event.return_id)
    if of is None:
        return state
    state = _marked(state, of, "open")
    if event.paid is None:
        return state
    rest = replace(state.items[of], amount=state.returns[event.return_id].rest.amount, is_rest=True)
    return replace(state, items={**state.items, of: rest})


def _item_of(return_id: str) -> str | None:
    """The item that a return gives back, None for other returns."""
    return return_id.removeprefix(UNMATCHED) if return_id.startswith(UNMATCHED) else None


def _ended(
    state: Payment,
    event: PaymentReturned | ReturnedByHand | ReturnFailed,
    status: Literal["returned", "failed", "by-hand"],
) -> Payment:
    part = state.returns.get(event.return_id) or Return(event.amount, account=event.account)
    return replace(state, returns={**state.returns, event.return_id: replace(part, status=status)})
