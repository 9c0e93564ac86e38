"""Manual entries by finance. An entry is never edited; a reversal posts its opposite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.ledger.domain.chart import Balance, UnknownAccount, takes_entries
from services.ledger.domain.postings import changes, opposite, totals
from shared.contracts import Command, DecisionContext, Event, Money, Refused, Shop, replace
from shared.contracts.base import MAX_MINOR_UNITS
from shared.contracts.ledger import EntryPosted, EntryReversed, PostEntry, Posting, ReverseEntry

Balances = Mapping[tuple[str, str], Balance]


@dataclass(frozen=True, slots=True)
class Entry:
    """A manual entry. Without `postings`, nothing was posted under this id yet."""

    postings: tuple[Posting, ...] = ()
    note: str = ""
    reversed: bool = False


def decide_entry(command: Command, state: Entry, given: DecisionContext) -> list[Event]:
    """Facts: the Balance of every (account, currency) that the entry touches."""
    match command:
        case PostEntry():
            return _post(command, state, given.facts, given.shop)
        case ReverseEntry():
            return _reverse(command, state, given.facts)
        case _:
            raise TypeError(f"an entry does not decide {type(command).__name__}")


def evolve_entry(state: Entry, event: Event) -> Entry:
    match event:
        case EntryPosted():
            return Entry(event.postings, event.note)
        case EntryReversed():
            return replace(state, reversed=True)
        case _:
            return state


def _post(command: PostEntry, state: Entry, balances: Balances, shop: Shop) -> list[Event]:
    if state.postings:
        if (state.postings, state.note) == (command.postings, command.note):
            return []
        raise Refused("entry-exists", f"another entry was posted as {command.entry_id}")
    _check_form(command.postings, shop)
    _check_rules(command.postings, balances)
    return [EntryPosted(entry_id=command.entry_id, postings=command.postings, note=command.note)]


def _reverse(command: ReverseEntry, state: Entry, balances: Balances) -> list[Event]:
    if not state.postings:
        raise Refused("unknown-entry", f"nothing was posted as {command.entry_id}", status=404)
    if state.reversed:
        raise Refused("already-reversed", f"{command.entry_id} was already reversed")
    postings = opposite(state.postings)
    _check_rules(postings, balances)
    return [EntryReversed(entry_id=command.entry_id, postings=postings, note=command.note)]


def _check_form(postings: tuple[Posting, ...], shop: Shop) -> None:
    for posting in postings:
        shop.check(posting.amount.currency)
        try:
            by_entry = takes_entries(posting.account)
        except UnknownAccount as unknown:
            raise Refused("unknown-account", str(unknown), status=422, account=posting.account) from None
        if not by_entry:
            detail = f"{posting.account} is settled item by item, under /v1/payments/unmatched"
            raise Refused("no-entries", detail, status=422, account=posting.account)
        if posting.amount.amount == 0:
            raise Refused("empty-posting", f"the posting to {posting.account} moves nothing", status=422)
    sums = totals(postings)
    if any(sums.values()):
        code = "unbalanced" if len(sums) == 1 else "mixed-currency"
        raise Refused(code, "debits and credits must be equal in every currency", status=422, **sums)


def _check_rules(postings: tuple[Posting, ...], balances: Balances) -> None:
    for (account, currency), change in changes(postings).items():
        balance = balances[account, currency]
        if balance.overflows(change):
            detail = f"{account} may hold {Money(amount=MAX_MINOR_UNITS, currency=currency)} at most by manual entries"
            raise Refused("account-full", detail, status=422, account=account)
        if not balance.allows(account, change):
            raise Refused(
                "account-overdrawn",
                f"{account} has too little available in {currency}",
                account=account,
                available=balance.available,
            )
