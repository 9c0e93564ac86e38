"""The chart of accounts, and what an account's balance allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.contracts.base import MAX_MINOR_UNITS


class UnknownAccount(ValueError):
    """The account's name is not `<type>:<name>` with a type of the chart."""


@dataclass(frozen=True, slots=True)
class AccountType:
    """A type of account. `guarded`: the shop owes this money to somebody, so the account never pays out more than it
    has. `by_entry`: finance may post to it by hand."""

    guarded: bool
    by_entry: bool = True


CHART: Mapping[str, AccountType] = {
    "wallet": AccountType(guarded=True),
    "order": AccountType(guarded=True),
    "supplier": AccountType(guarded=True),
    # Finance pays out no more than the balance. A refund may also take back what was paid out already.
    "commission": AccountType(guarded=True),
    # A refund may exceed what the channel owes the shop at that moment. The next settlement covers the rest.
    "channel": AccountType(guarded=False),
    # Items here are matched, given back or settled one by one. An entry would leave an item without its money.
    "suspense": AccountType(guarded=True, by_entry=False),
    "by-hand": AccountType(guarded=False),
    "difference": AccountType(guarded=False),
    "revenue": AccountType(guarded=False),
    "refunds": AccountType(guarded=False),
    "cost": AccountType(guarded=False),
    "commission-cost": AccountType(guarded=False),
    "claims": AccountType(guarded=False),
}


def type_of(account: str) -> str:
    """The type in an account's name. Raises UnknownAccount."""
    kind, _, name = account.partition(":")
    if kind not in CHART or not name:
        raise UnknownAccount(f"{account} is not an account of the chart")
    return kind


def is_guarded(account: str) -> bool:
    """Whether the account may not go below zero. Raises UnknownAccount."""
    return CHART[type_of(account)].guarded


def takes_entries(account: str) -> bool:
    """Whether finance may post to the account by hand. Raises UnknownAccount."""
    return CHART[type_of(account)].by_entry


@dataclass(frozen=True, slots=True)
class Balance:
    """An account's money in one currency, in minor units.

    `posted` is debit-positive, so what the shop owes is negative. `held` is never negative: it is the part that is set
    aside for orders and for returns under way.
    """

    posted: int = 0
    held: int = 0

    @property
    def available(self) -> int:
        """What the account can still pay out."""
        return -self.posted - self.held

    def overflows(self, change: int) -> bool:
        """Whether a posting of `change` moves the balance further from zero than an amount can be."""
        after = abs(self.posted + change)
        return after > MAX_MINOR_UNITS and after > abs(self.posted)

    def allows(self, account: str, change: int) -> bool:
        """Whether the account's rule permits a posting of `change` (debit-positive). Raises UnknownAccount."""
        return not is_guarded(account) or change <= 0 or change <= self.available
