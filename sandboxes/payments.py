"""The memory of a payment channel: payments, which of them are paid, and what was paid back. It needs no clock and no
network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from sandboxes.turned_away import TurnedAway
from shared.contracts import Money
from shared.values import currencies

PositiveAmount = Annotated[int, Field(strict=True, gt=0, le=10**15)]
Currency = Annotated[str, AfterValidator(currencies.known)]


class NewPayment(BaseModel):
    payment_id: Annotated[str, Field(min_length=1, max_length=80)]
    amount: PositiveAmount
    currency: Currency
    return_url: str


class NewRefund(BaseModel):
    return_id: Annotated[str, Field(min_length=1, max_length=80)]
    amount: PositiveAmount
    currency: Currency


@dataclass
class Payment:
    """A payment. `paid` counts how often money was taken: at most once. `collected` is the amount taken, if it differs
    from the requested one. A `feigned` payment looks closed and can still be paid."""

    payment_id: str
    channel_ref: str
    money: Money
    return_url: str
    status: Literal["pending", "paid", "failed"] = "pending"
    paid: int = 0
    feigned: bool = False
    collected: Money | None = None
    refunds: dict[str, Money] = field(default_factory=dict)

    @property
    def taken(self) -> Money:
        """The amount that was or will be taken."""
        return self.collected or self.money

    def shown(self) -> dict[str, Any]:
        status = "failed" if self.feigned and self.status == "pending" else self.status
        return money_shown(self.taken, channel_ref=self.channel_ref, status=status)

    def callback(self) -> dict[str, Any]:
        """The body of the payment's callback."""
        fields = {"callback_id": f"callback-{self.channel_ref}", "payment_id": self.payment_id, **self.shown()}
        return {name: fields[name] for name in CALLBACK}


CALLBACK = ("callback_id", "payment_id", "channel_ref", "amount", "currency", "status")


def money_shown(money: Money, **more: str) -> dict[str, Any]:
    return {**more, "amount": money.amount, "currency": money.currency}


@dataclass
class Payments:
    """The channel's books. All methods raise TurnedAway."""

    name: str
    new_id: Callable[[], str]
    _payments: dict[str, Payment] = field(default_factory=dict)

    @property
    def all(self) -> Mapping[str, Payment]:
        """By payment id."""
        return self._payments

    def find(self, payment_id: str) -> Payment:
        try:
            return self._payments[payment_id]
        except KeyError:
            raise TurnedAway(404, f"no payment {payment_id}") from None

    def open(self, new: NewPayment) -> Payment:
        """The same id and money again give the same payment."""
        money = Money(amount=new.amount, currency=new.currency)
        known = self._payments.get(new.payment_id)
        if known is None:
            known = Payment(new.payment_id, f"{self.name}-{self.new_id()}", money, new.return_url)
            self._payments[new.payment_id] = known
        elif known.money != money:
            raise TurnedAway(409, f"payment {new.payment_id} is of {known.money}")
        return known

    def pay(self, payment_id: str, collected: Money | None = None) -> Payment:
        """The buyer pays, if told so another amount. Paying again takes nothing."""
        payment = self.find(payment_id)
        if payment.status == "failed":
            raise TurnedAway(409, f"payment {payment_id} is closed")
        if payment.status == "pending":
            payment.status = "paid"
            payment.collected = collected
            payment.paid += 1
        return payment

    def close(self, payment_id: str) -> None:
        """It can no longer be paid; one that is paid stays so."""
        payment = self.find(payment_id)
        if payment.status == "pending":
            payment.status = "failed"

    def close_unpaid(self, payment_id: str) -> Payment:
        """What a merchant asks for: one that is paid is not closed. Again: the same."""
        if self.find(payment_id).status == "paid":
            raise TurnedAway(409, f"payment {payment_id} is paid")
        self.close(payment_id)
        return self.find(payment_id)

    def refund(self, payment_id: str, new: NewRefund) -> Money:
        """The same return id pays once."""
        payment = self.find(payment_id)
        money = Money(amount=new.amount, currency=new.currency)
        known = payment.refunds.get(new.return_id)
        if known is not None:
            if known != money:
                raise TurnedAway(409, f"refund {new.return_id} was of {known}")
            return known
        left = payment.taken.amount - sum(refund.amount for refund in payment.refunds.values())
        if payment.status != "paid" or money.currency != payment.taken.currency or money.amount > left:
            raise TurnedAway(409, "more than was paid and is left")
        payment.refunds[new.return_id] = money
        return money
