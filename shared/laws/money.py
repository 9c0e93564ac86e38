"""The ledger balances, and the balances people see are the sum of its entries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from shared.contracts.ledger import (
    FundsCaptured,
    FundsHeld,
    FundsRefunded,
    HoldVoided,
    PaymentRequested,
    PaymentReturned,
    Posting,
    ReturnFailed,
    ReturnRequested,
)
from shared.eventlog.recorded import Recorded
from shared.laws.finding import Finding, finding

Account = tuple[str, str]
NEVER_OVERDRAWN = ("wallet:", "order:")


def balanced(ledger: Iterable[Recorded], accounts: Mapping[Account, tuple[int, int]]) -> Finding:
    """Conserved and HoldsMatch.

    Every entry's debits equal its credits in each currency; captures and refunds stay within the hold and the
    capture; `accounts`, the live (posted, held) by account and currency, are the sums of all entries, and of open holds
    and returns under way;
    no buyer's account is overdrawn.
    """
    posted: dict[Account, int] = defaultdict(int)
    holds: dict[str, tuple[Account, int]] = {}
    left: dict[str, int] = {}
    accounts_of: dict[str, str] = {}
    broken: list[str] = []
    entries = 0
    for recorded in ledger:
        event = recorded.event
        postings: tuple[Posting, ...] = getattr(event, "postings", ())
        if postings:
            entries += 1
            sums: dict[str, int] = defaultdict(int)
            for posting in postings:
                sums[posting.amount.currency] += posting.amount.amount
                posted[posting.account, posting.amount.currency] += posting.amount.amount
            if any(sums.values()):
                broken.append(f"the entry at {recorded.position} does not balance")
        match event:
            case FundsHeld(order_id=order_id, account=account, amount=amount):
                holds[order_id] = ((account, amount.currency), amount.amount)
            case HoldVoided(order_id=order_id):
                holds.pop(order_id, None)
            case PaymentRequested(payment_id=payment_id, account=name):
                accounts_of[payment_id] = name
            case ReturnRequested(payment_id=payment_id, return_id=return_id, amount=amount):
                account = (accounts_of[payment_id], amount.currency)
                holds[f"{payment_id} {return_id}"] = (account, amount.amount)
            case (
                PaymentReturned(payment_id=payment_id, return_id=return_id)
                | ReturnFailed(payment_id=payment_id, return_id=return_id)
            ):
                holds.pop(f"{payment_id} {return_id}", None)
            case FundsCaptured(order_id=order_id, amount=amount):
                _, held = holds.pop(order_id, (None, 0))
                left[order_id] = amount.amount
                if amount.amount > held:
                    broken.append(f"{order_id}: captured more than was held")
            case FundsRefunded(order_id=order_id, amount=amount):
                left[order_id] = left.get(order_id, 0) - amount.amount
                if left[order_id] < 0:
                    broken.append(f"{order_id}: refunded more than was captured")
            case _:
                pass
    held_now: dict[Account, int] = defaultdict(int)
    for account, amount in holds.values():
        held_now[account] += amount
    for account in accounts.keys() | posted.keys() | held_now.keys():
        told, own = accounts.get(account, (0, 0)), (posted[account], held_now[account])
        if told != own:
            broken.append(f"{account[0]} says {told}, its entries and holds say {own}")
        if account[0].startswith(NEVER_OVERDRAWN) and -own[0] < own[1]:
            broken.append(f"{account[0]} is overdrawn")
    return finding("Conserved", entries, broken)
