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
from shared.runtime.simulated.host import Simulated
from shared.runtime.simulated.luck import Luck
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

        self._pending = set[tuple[str, str]]()
        self._denied = set[str]()
        self._linked = set[str]()

    def carry_out(self, request: httpx.Request) -> Mapping[str, Any]:
        self.check(request, f"{request.method} ".encode() + request.url.raw_path + b"\n" + request.content)
        match request.method, [unquote(part) for part in request.url.raw_path.decode().strip("/").split("/")]:
            case "POST", ["payments"]:
                return self._open(read(request, NewPayment))
            case "GET", ["payments", payment_id]:
                return self._status(self.books.find(payment_id))
            case "POST", ["payments", payment_id, "close"]:
                return self._close(payment_id)
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
                forgery = _callback(self.name, {**payment.callback(), "status": "paid"}, authentic=False)
                self.tell(forgery, actor="guest", after_seconds=self._luck.uniform(0, 30))
        return {"channel_ref": payment.channel_ref, "pay_url": f"http://{self.name}.sim/{payment.channel_ref}"}

    def _close(self, payment_id: str) -> Mapping[str, Any]:
        payment, strike = self.books.find(payment_id), self._whims.strike
        if payment.status == "pending" and not payment.feigned:
            if strike("close_refused"):
                raise TurnedAway(409, "not now")
            if payment_id in self._linked and strike("close_crossed"):
                self.pay(payment_id)
            elif payment_id in self._linked and strike("close_feigned"):
                payment.feigned = True
                self._host.timeline.after(self._luck.uniform(5, 300), lambda: self.pay(payment_id))
        if payment.feigned:
            return self._status(payment)
        return self.books.close_unpaid(payment_id).shown()

    def _refunds(self, payment_id: str) -> Mapping[str, Any]:
        refunds = self.books.find(payment_id).refunds
        self._looks[payment_id] += 1
        self._seen.update((payment_id, return_id) for return_id in refunds)
        return {"refunds": [self._refund_shown(payment_id, return_id, money) for return_id, money in refunds.items()]}

    def _refund(self, payment_id: str, new: NewRefund) -> Mapping[str, Any]:
        if self._whims.strike("refund_refused"):
            raise TurnedAway(409, "not enough money today")
        asked, is_new = new.amount, new.return_id not in self.books.find(payment_id).refunds
        if is_new and new.amount > 1 and self._whims.strike("refund_short"):
            new = new.model_copy(update={"amount": new.amount - 1})
        money = self.books.refund(payment_id, new)
        self._refunds_asked[payment_id, new.return_id] += 1
        if self._whims.strike("refund_pending"):
            self._pending.add((payment_id, new.return_id))
            seconds = self._luck.uniform(5, 60)
            self._host.timeline.after(seconds, lambda: self._pending.discard((payment_id, new.return_id)))
        if self._whims.strike("refund_misstated"):  # never as what was asked for: nothing could show that it is wrong
            return money_shown(Money(amount=asked + 1, currency=money.currency), return_id=new.return_id)
        return self._refund_shown(payment_id, new.return_id, money)

    def _refund_shown(self, payment_id: str, return_id: str, money: Money) -> Mapping[str, Any]:
        status = "pending" if (payment_id, return_id) in self._pending else "done"
        return money_shown(money, return_id=return_id, status=status)

    def _status(self, payment: Payment) -> Mapping[str, Any]:
        return {**payment.shown(), "status": "failed"} if payment.payment_id in self._denied else payment.shown()

    # The buyer's side

    def link(self, payment_id: str) -> None:
        """The buyer has got the link: from now on it may be paid in any moment."""
        self._linked.add(payment_id)

    def pay(self, payment_id: str) -> bool:
        """A buyer pays, or pays once more. False while the payment is not open, and when it is closed."""
        payment = self.books.all.get(payment_id)
        if payment is None or payment.status == "failed" or self.is_down:
            return False
        is_new = payment.status == "pending"
        self.books.pay(payment_id, self._taken(payment) if is_new else None)
        if is_new and self._whims.strike("late_success"):
            self._deny(payment)
        else:
            self._call_back(payment)
        return True

    def _taken(self, payment: Payment) -> Money | None:
        """Something else than was asked for, in some manners."""
        if self._whims.strike("other_amount"):
            return Money(amount=max(1, payment.money.amount + self._luck.choice((-1, 1, 100))))
        if self._whims.strike("other_currency"):
            return Money(amount=payment.money.amount, currency="USD")
        return None

    def _deny(self, payment: Payment) -> None:
        """It is told as failed; some time later as paid, or only whoever asks is told."""
        self._denied.add(payment.payment_id)
        self.tell(_callback(self.name, {**payment.callback(), "status": "failed"}))
        self._host.timeline.after(self._luck.uniform(5, 300), lambda: self._admit(payment))

    def _admit(self, payment: Payment) -> None:
        self._denied.discard(payment.payment_id)
        self._call_back(payment)

    def close(self, payment_id: str) -> None:
        """A payment that nobody made by now has failed."""
        payment = self.books.find(payment_id)
        if payment.status == "pending":
            self.books.close(payment_id)
            self.tell(_callback(self.name, payment.callback()))

    def close_all(self) -> None:
        for payment_id in list(self.books.all):
            self.close(payment_id)

    def _call_back(self, payment: Payment) -> None:
        callback, strike = payment.callback(), self._whims.strike
        id_ = callback["callback_id"]
        self.mumble(payment.payment_id)
        if strike("wrong_amount"):
            by = self._luck.choice((-1, 1, 100))
            if callback["amount"] + by == payment.money.amount:
                by *= 2  # what was asked for, where another amount was taken, would be believed
            wrong = {**callback, "amount": max(0, callback["amount"] + by), "callback_id": f"{id_}-amount"}
            self.tell(_callback(self.name, wrong))
        if strike("wrong_payment"):
            wrong = {**callback, "payment_id": self._another(payment), "callback_id": f"{id_}-payment"}
            self.tell(_callback(self.name, wrong))
        if strike("callback_lost"):
            return
        late = self._luck.uniform(10, 200) if strike("callback_late") else self._luck.uniform(0, 2)
        for _ in range(2 if strike("callback_twice") else 1):
            self.tell(_callback(self.name, callback), after_seconds=late)

    def _another(self, payment: Payment) -> str:
        """A payment of another amount, so that nobody could take this one's callback for its own."""
        others = [other for other in self.books.all.values() if other.money != payment.money]
        return self._luck.choice(others).payment_id if others else f"{payment.payment_id}-unknown"

    # The honest record

    def collected(self, payment_id: str) -> Money | None:
        """What was taken for a payment, None while nothing was."""
        payment = self.books.all.get(payment_id)
        return payment.taken if payment is not None and payment.paid else None

    def captures(self) -> Mapping[str, int]:
        """How often money was taken, by payment id."""
        return {payment_id: payment.paid for payment_id, payment in self.books.all.items()}

    def refunds(self) -> Mapping[tuple[str, str], int]:
        """How often money was paid back, by payment and return id."""
        return {refund: max(1, asked - self._missed(*refund)) for refund, asked in self._refunds_asked.items()}

    def _missed(self, payment_id: str, return_id: str) -> int:
        """How many look-ups found no such refund."""
        return self._looks[payment_id] - self._seen[payment_id, return_id]


def _callback(channel: str, body: Mapping[str, Any], *, authentic: bool = True) -> RecordCallback:
    """The command that the gateway makes of a callback's body."""
    return RecordCallback(
        payment_id=body["payment_id"],
        channel=channel,
        callback_id=body["callback_id"],
        channel_ref=body["channel_ref"],
        amount=Money(amount=body["amount"], currency=body["currency"]),
        status=body["status"],
        authentic=authentic,
    )
