"""Conserved, HoldsMatch, OneCapture: money is neither made nor lost, nor taken twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias, get_args

from shared.contracts import Money
from shared.contracts.ledger import (
    SHARED_REFERENCE,
    Entry,
    FundsCaptured,
    FundsHeld,
    FundsRefunded,
    HoldVoided,
    PaymentReceived,
    PaymentReturned,
    PaymentUnmatched,
    Posting,
    ReturnedByHand,
    ReturnFailed,
    ReturnRequested,
    SupplierBillPosted,
    SupplierClaimCredited,
    SupplierClaimMoved,
    SupplierCostPosted,
)
from shared.laws.compact import Marks
from shared.laws.finding import Finding, finding
from shared.laws.law import Handlers, Law

Account: TypeAlias = tuple[str, str]
# Without an agent's commission: a refund may take back commission that was paid out, until the next sales.
NEVER_OVERDRAWN = ("wallet:", "order:", "suspense:", "supplier:")


class Conserved(Law):
    """Every entry's debits equal its credits in each currency, and it moves what its event says."""

    name = "Conserved"

    def handlers(self) -> Handlers:
        return {
            **dict.fromkeys(get_args(Entry), self._balanced),
            PaymentReceived: lambda event: self._moved(event, event.account, -event.amount),
            PaymentUnmatched: self._waits,
            FundsCaptured: lambda event: self._moved(event, event.account, event.amount),
            FundsRefunded: lambda event: self._moved(event, event.account, -event.amount),
            SupplierCostPosted: lambda event: self._moved(event, f"supplier:{event.supplier}", -event.cost),
            SupplierBillPosted: lambda event: self._moved(event, f"supplier:{event.supplier}", -event.amount),
            SupplierClaimMoved: self._claim_moved,
            SupplierClaimCredited: lambda event: self._moved(event, f"claims:{event.supplier}", -event.amount),
        }

    def _claim_moved(self, event: SupplierClaimMoved) -> None:
        change = event.amount if event.decision == "claim" else -event.amount
        self._moved(event, f"claims:{event.supplier}", change)

    def _waits(self, event: PaymentUnmatched) -> None:
        if event.postings:
            self._moved(event, f"suspense:{event.channel}", -event.amount)

    def _balanced(self, event: Entry) -> None:
        self.checked += 1
        sums: dict[str, int] = defaultdict(int)
        for posting in event.postings:
            sums[posting.amount.currency] += posting.amount.amount
        if any(sums.values()):
            self.broken(f"the entry of {event.partition_key()} does not balance")

    def _moved(self, event: Entry, account: str, change: Money) -> None:
        self._balanced(event)
        amounts = (posting.amount for posting in event.postings if posting.account == account)
        moved = sum(amount.amount for amount in amounts if amount.currency == change.currency)
        if moved != change.amount:
            self.broken(f"{event.partition_key()}: {change.amount} of {account} was to move, {moved} did")


class HoldsMatch(Law):
    """The held amounts equal the open holds and returns; a hold ends whole; accounts that the shop owes are never
    overdrawn."""

    name = "HoldsMatch"

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[str, tuple[Account, int]] = {}
        self._posted: dict[Account, int] = defaultdict(int)
        self._held: dict[Account, int] = defaultdict(int)
        self._deposits: dict[str, str] = {}

    def handlers(self) -> Handlers:
        return {
            **dict.fromkeys(get_args(Entry), self._post),
            FundsHeld: lambda event: self._opened(event.order_id, event.account, event.amount),
            HoldVoided: lambda event: self._closed(event.order_id, event.amount),
            FundsCaptured: self._captured,
            PaymentReceived: self._received,
            ReturnRequested: self._return_requested,
            ReturnFailed: self._return_failed,
            PaymentReturned: self._returned,
        }

    @property
    def balances(self) -> Mapping[Account, tuple[int, int]]:
        """(posted, held) by account and currency, in minor units, debits positive; accounts without either are left
        out."""
        accounts = self._posted.keys() | self._held.keys()
        return {account: (self._posted.get(account, 0), self._held.get(account, 0)) for account in accounts}

    def _opened(self, name: str, account: str, amount: Money) -> None:
        self.checked += 1
        if name in self._open:
            self.broken(f"{name} was held twice")
            return
        self._open[name] = ((account, amount.currency), amount.amount)
        self._change(self._held, (account, amount.currency), amount.amount)
        self._check_funds([(account, amount.currency)])

    def _closed(self, name: str, amount: Money) -> None:
        if name not in self._open:
            self.broken(f"{name} was freed and not held")
            return
        account, held = self._open.pop(name)
        self._change(self._held, account, -held)
        if (account[1], held) != (amount.currency, amount.amount):
            self.broken(f"{name} was held with {held} and freed with {amount.amount}")

    def _captured(self, event: FundsCaptured) -> None:
        self._closed(event.order_id, event.amount + event.released)
        self._post(event)

    def _received(self, event: PaymentReceived) -> None:
        if event.account != f"order:{event.payment_id}":
            self._deposits[event.payment_id] = event.account
        self._post(event)

    def _return_requested(self, event: ReturnRequested) -> None:
        account = event.account or self._deposits.get(event.payment_id, f"order:{event.payment_id}")
        self._opened(f"{event.payment_id} {event.return_id}", account, event.amount)

    def _return_failed(self, event: ReturnFailed) -> None:
        """A return may fail before it was requested: for want of money."""
        if (name := f"{event.payment_id} {event.return_id}") in self._open:
            self._closed(name, event.amount)
        self._post(event)

    def _returned(self, event: PaymentReturned) -> None:
        self._closed(f"{event.payment_id} {event.return_id}", event.amount)
        self._post(event)

    def _post(self, event: Entry) -> None:
        for posting in event.postings:
            self._change(self._posted, _account(posting), posting.amount.amount)
        self._check_funds(_account(posting) for posting in event.postings)

    def _check_funds(self, touched: Iterable[Account]) -> None:
        for account in touched:
            owed, held = -self._posted.get(account, 0), self._held.get(account, 0)
            if owed < held and account[0].startswith(NEVER_OVERDRAWN):
                self.broken(f"{account[0]} is overdrawn: {owed} {account[1]} is there, {held} is held")

    @staticmethod
    def _change(balances: dict[Account, int], account: Account, by: int) -> None:
        balances[account] += by
        if not balances[account]:
            del balances[account]


def _account(posting: Posting) -> Account:
    return posting.account, posting.amount.currency


class OneCapture(Law):
    """A payment is received once and an order captured once; what goes back goes once, and never more than came.

    Money that fitted no payment counts by its suspense account: what comes from there is no more than came there.
    """

    name = "OneCapture"

    def __init__(self) -> None:
        super().__init__()
        self._captured, self._received = Marks(), Marks()
        self._references, self._backs = Marks(), Marks()
        self._shared = Marks()

    def handlers(self) -> Handlers:
        return {
            PaymentUnmatched: self._payment_unmatched,
            PaymentReceived: self._payment_received,
            PaymentReturned: self._payment_returned,
            ReturnedByHand: self._payment_returned,
            FundsCaptured: self._funds_captured,
            FundsRefunded: self._funds_refunded,
        }

    def _payment_unmatched(self, event: PaymentUnmatched) -> None:
        if event.reason == SHARED_REFERENCE:
            self._shared.add(event.item)

    def _payment_received(self, event: PaymentReceived) -> None:
        self.checked += 1
        if not self._received.add(event.payment_id, event.amount.amount):
            self.broken(f"payment {event.payment_id} was received twice")
        elif event.callback_id in self._shared:  # a person took it for this payment, though another has its reference
            return
        elif not self._references.add(f"{event.channel} {event.channel_ref}"):
            self.broken(f"payment {event.payment_id} is another one at {event.channel}: {event.channel_ref}")

    def _payment_returned(self, event: PaymentReturned | ReturnedByHand) -> None:
        if event.account is None:
            self._back(self._received, event.payment_id, event.return_id, event.amount, "returned")
        elif not self._backs.add(f"returned {event.payment_id} {event.return_id}"):
            self.broken(f"{event.payment_id} was returned twice as {event.return_id}")

    def _funds_captured(self, event: FundsCaptured) -> None:
        self.checked += 1
        if not self._captured.add(event.order_id, event.amount.amount):
            self.broken(f"{event.order_id} was captured twice")

    def _funds_refunded(self, event: FundsRefunded) -> None:
        self._back(self._captured, event.order_id, event.refund_id, event.amount, "refunded")

    def _back(self, taken: Marks, name: str, back_id: str, amount: Money, done: str) -> None:
        if not self._backs.add(f"{done} {name} {back_id}"):
            self.broken(f"{name} was {done} twice as {back_id}")
        left = taken.change(name, -amount.amount)
        if left is None or left < 0:
            self.broken(f"{name} was {done} with {amount.amount} as {back_id}, {-(left or 0)} more than was taken")


def accounts_agree(own: Mapping[Account, tuple[int, int]], live: Mapping[Account, tuple[int, int]]) -> Finding:
    """HoldsMatch: the live (posted, held) of each account and currency are `own`, the sums of all entries and of open
    holds and returns. An account without either need not be there."""
    accounts = own.keys() | live.keys()
    broken = [
        f"{account} says {live.get((account, currency), (0, 0))}, "
        f"its entries and holds say {own.get((account, currency), (0, 0))}"
        for account, currency in sorted(accounts)
        if own.get((account, currency), (0, 0)) != live.get((account, currency), (0, 0))
    ]
    return finding("HoldsMatch", len(accounts), broken)
