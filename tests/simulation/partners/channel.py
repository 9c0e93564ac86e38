"""The payment channel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import count
from typing import Any
from urllib.parse import unquote

import httpx

from sandboxes.payments import NewPayment, NewRefund, Payment, Payments, money_shown
from sandboxes.turned_away import TurnedAway
from shared.contracts import Money
from shared.contracts.ledger import RecordCallback
from shared.hosting.simulated.host import Simulated
from shared.hosting.simulated.luck import Luck
from tests.simulation.manners import Whims
from tests.simulation.partners.partner import Partner, read

CLOSED_AFTER_SECONDS = 900.0


class Channel(Partner):
    """Opens payments, takes money, pays it back. A refund that comes again, though no look-up was told that it is
    missing, is paid again: so whoever repeats blindly pays twice."""

    def __init__(self, name: str, whims: Whims, luck: Luck, host: Simulated) -> None:
        super().__init__(name, "channel", whims, luck, host)
        numbers = count(1)
        self.books = Payments(name, lambda: str(next(numbers)))
        self._refunds_asked = Counter[tuple[str, str]]()
        self._looks = Counter[str]()
        self._seen = Counter[tuple[str, str]]()

    def carry_out(self, request: httpx.Request) -> Mapping[str, Any]:
        self.check(request, f"{request.method} ".encode() + request.url.raw_path + b"\n" + request.content)
        match request.method, [unquote(part) for part in request.url.raw_path.decode().strip("/").split("/")]:
            case "POST", ["payments"]:
                return self._open(read(request, NewPayment))
            case "GET", ["payments", payment_id]:
                return self.books.find(payment_id).shown()
            case "GET", ["payments", payment_id, "refunds"]:
                return self._refunds(payment_id)
            case "POST", ["payments", payment_id, "refunds"]:
                return self._refund(payment_id, read(request, NewRefund))
            case _:
                raise TurnedAway(404, "no such page")

    def _open(self, new: NewPayment) -> Mapping[str, Any]:
        is_new = new.payment_id not in self.books.all
        payment = self.books.open(new)
        if is_new:
            self._host.timeline.after(CLOSED_AFTER_SECONDS, lambda: self.close(payment.payment_id))
            if self._whims.strike("forged"):
                forgery = _callback(self.name, {**payment.told(), "status": "paid"}, authentic=False)
                self.tell(forgery, actor="guest", after_seconds=self._luck.uniform(0, 30))
        return {"channel_ref": payment.channel_ref, "pay_url": f"http://{self.name}.sim/{payment.channel_ref}"}

    def _refunds(self, payment_id: str) -> Mapping[str, Any]:
        refunds = self.books.find(payment_id).refunds
        self._looks[payment_id] += 1
        self._seen.update((payment_id, return_id) for return_id in refunds)
        return {"refunds": [money_shown(money, return_id=return_id) for return_id, money in refunds.items()]}

    def _refund(self, payment_id: str, new: NewRefund) -> Mapping[str, Any]:
        money = self.books.refund(payment_id, new)
        self._refunds_asked[payment_id, new.return_id] += 1
        return money_shown(money, return_id=new.return_id)

    # The buyer's side

    def pay(self, payment_id: str) -> bool:
        """A buyer pays, or pays once more. False while the payment is not open, and when it is closed."""
        payment = self.books.all.get(payment_id)
        if payment is None or payment.status == "failed" or self.is_down:
            return False
        self.books.pay(payment_id)
        self._call_back(payment)
        return True

    def close(self, payment_id: str) -> None:
        """A payment that nobody made by now has failed."""
        payment = self.books.find(payment_id)
        if payment.status == "pending":
            self.books.close(payment_id)
            self.tell(_callback(self.name, payment.told()))

    def close_all(self) -> None:
        for payment_id in list(self.books.all):
            self.close(payment_id)

    def _call_back(self, payment: Payment) -> None:
        told, strike = payment.told(), self._whims.strike
        if strike("wrong_amount"):
            amount = told["amount"] + self._luck.choice((-1, 1, 100))
            wrong = {**told, "amount": max(0, amount), "callback_id": f"{told['callback_id']}-amount"}
            self.tell(_callback(self.name, wrong))
        if strike("wrong_payment"):
            wrong = {**told, "payment_id": self._another(payment), "callback_id": f"{told['callback_id']}-payment"}
            self.tell(_callback(self.name, wrong))
        if strike("callback_lost"):
            return
        late = self._luck.uniform(10, 200) if strike("callback_late") else self._luck.uniform(0, 2)
        for _ in range(2 if strike("callback_twice") else 1):
            self.tell(_callback(self.name, told), after_seconds=late)

    def _another(self, payment: Payment) -> str:
        """A payment of another amount, so that nobody could take this one's callback for its own."""
        others = [other for other in self.books.all.values() if other.money != payment.money]
        return self._luck.choice(others).payment_id if others else f"{payment.payment_id}-unknown"

    # The honest record

    def captures(self) -> Mapping[str, int]:
        """How often money was taken, by payment id."""
        return {payment_id: payment.paid for payment_id, payment in self.books.all.items()}

    def refunds(self) -> Mapping[tuple[str, str], int]:
        """How often money was paid back, by payment and return id."""
        return {refund: max(1, asked - self._missed(*refund)) for refund, asked in self._refunds_asked.items()}

    def _missed(self, payment_id: str, return_id: str) -> int:
        """How many look-ups were told of no such refund."""
        return self._looks[payment_id] - self._seen[payment_id, return_id]


def _callback(channel: str, told: Mapping[str, Any], *, authentic: bool = True) -> RecordCallback:
    """The command that the gateway makes of a callback's body."""
    return RecordCallback(
        payment_id=told["payment_id"],
        channel=channel,
        callback_id=told["callback_id"],
        channel_ref=told["channel_ref"],
        amount=Money(amount=told["amount"], currency=told["currency"]),
        status=told["status"],
        authentic=authentic,
    )
