"""Manual entries balance, respect every account's rule, and are undone only by their opposite."""

from __future__ import annotations

import pytest

from services.ledger.domain.chart import Balance
from services.ledger.domain.entry import Entry, decide_entry, evolve_entry
from services.ledger.domain.trial import trial_balance
from shared.contracts import Refused
from shared.contracts.base import MAX_MINOR_UNITS
from shared.contracts.ledger import EntryPosted, EntryReversed, PostEntry, Posting, ReverseEntry
from tests.ledger.builders import folded, given, posting

PAIR = (posting("channel:bank", 500), posting("wallet:alice", -500))
POSTED = EntryPosted(entry_id="e-1", postings=PAIR, note="cash")
REVERSE = ReverseEntry(entry_id="e-1", note="typo")


def post(*postings: Posting, note: str = "cash") -> PostEntry:
    return PostEntry(entry_id="e-1", postings=postings, note=note)


def facts(**available: int) -> dict[tuple[str, str], Balance]:
    """Balances by account type, all of them empty but those named."""
    names = ("wallet:alice", "wallet:bob", "channel:bank", "revenue:north", "supplier:acme")
    empty = {(name, currency): Balance() for name in names for currency in ("CNY", "USD")}
    return empty | {(f"{kind}:alice", "CNY"): Balance(posted=-fen) for kind, fen in available.items()}


def test_a_balanced_entry_is_posted_once():
    assert decide_entry(post(*PAIR), Entry(), given(facts())) == [POSTED]
    assert decide_entry(post(*PAIR), folded(evolve_entry, Entry(), [POSTED]), given(facts())) == []


def test_an_id_is_not_used_for_two_entries():
    with pytest.raises(Refused) as no:
        decide_entry(post(*PAIR, note="other"), folded(evolve_entry, Entry(), [POSTED]), given(facts()))
    assert no.value.code == "entry-exists"


@pytest.mark.parametrize(
    ("postings", "code"),
    [
        ((posting("channel:bank", 500), posting("wallet:alice", -499)), "unbalanced"),
        ((posting("channel:bank", 500), posting("wallet:alice", -500, "USD")), "mixed-currency"),
        ((posting("gold:alice", 500), posting("wallet:alice", -500)), "unknown-account"),
        ((posting("wallet:", 500), posting("wallet:alice", -500)), "unknown-account"),
        ((posting("wallet", 500), posting("wallet:alice", -500)), "unknown-account"),
        ((posting("channel:bank", 0), posting("wallet:alice", 0)), "empty-posting"),
        ((*PAIR, posting("channel:bank", 9, "KWD"), posting("wallet:alice", -9, "KWD")), "currency-not-traded"),
    ],
)
def test_a_malformed_entry_is_refused(postings: tuple[Posting, ...], code: str):
    with pytest.raises(Refused) as no:
        decide_entry(post(*postings), Entry(), given(facts()))
    assert (no.value.code, no.value.status) == (code, 422)


def test_two_currencies_that_each_balance_are_fine():
    both = (*PAIR, posting("channel:bank", 9, "USD"), posting("wallet:alice", -9, "USD"))
    assert decide_entry(post(*both), Entry(), given(facts())) == [POSTED.model_copy(update={"postings": both})]


def test_nobody_is_debited_more_than_is_available():
    take = (posting("wallet:alice", 100), posting("revenue:north", -100))
    assert len(decide_entry(post(*take), Entry(), given(facts(wallet=100)))) == 1
    with pytest.raises(Refused) as no:
        decide_entry(post(*take), Entry(), given(facts(wallet=99)))
    assert (no.value.code, no.value.facts["available"]) == ("account-overdrawn", 99)


@pytest.mark.parametrize("posted", [-MAX_MINOR_UNITS, -(MAX_MINOR_UNITS - 499), -(MAX_MINOR_UNITS + 10**12)])
def test_no_entry_fills_an_account_beyond_what_an_amount_can_be(posted: int):
    full = facts() | {("wallet:alice", "CNY"): Balance(posted=posted)}
    with pytest.raises(Refused) as no:
        decide_entry(post(*PAIR), Entry(), given(full))
    assert (no.value.code, no.value.status) == ("account-full", 422)

    out = (posting("wallet:alice", 500), posting("channel:bank", -500))
    assert decide_entry(post(*out), Entry(), given(full)), "what leads back is taken"


def test_held_money_is_not_available():
    take = (posting("wallet:alice", 100), posting("revenue:north", -100))
    balances = facts() | {("wallet:alice", "CNY"): Balance(posted=-150, held=51)}
    with pytest.raises(Refused):
        decide_entry(post(*take), Entry(), given(balances))


def test_the_rule_sees_all_postings_to_an_account_together():
    split = (posting("wallet:alice", 100), posting("wallet:alice", -100))
    assert len(decide_entry(post(*split), Entry(), given(facts()))) == 1
    twice = (posting("wallet:alice", 60), posting("wallet:alice", 60), posting("revenue:north", -120))
    with pytest.raises(Refused):
        decide_entry(post(*twice), Entry(), given(facts(wallet=100)))


def test_an_entry_is_reversed_once():
    state = folded(evolve_entry, Entry(), [POSTED])
    (event,) = decide_entry(REVERSE, state, given(facts(wallet=500)))
    undone = (posting("channel:bank", -500), posting("wallet:alice", 500))
    assert event == EntryReversed(entry_id="e-1", postings=undone, note="typo")
    with pytest.raises(Refused) as no:
        decide_entry(REVERSE, evolve_entry(state, event), given(facts(wallet=500)))
    assert no.value.code == "already-reversed"


def test_a_reversal_may_not_take_what_was_spent():
    with pytest.raises(Refused) as no:
        decide_entry(REVERSE, folded(evolve_entry, Entry(), [POSTED]), given(facts(wallet=499)))
    assert no.value.code == "account-overdrawn"


def test_what_was_never_posted_is_not_reversed():
    with pytest.raises(Refused) as no:
        decide_entry(REVERSE, Entry(), given({}))
    assert (no.value.code, no.value.status) == ("unknown-entry", 404)


def test_the_trial_balance_adds_up_by_type_and_shows_what_does_not():
    rows = [
        {"account": "channel:wechat", "currency": "CNY", "posted": 700},
        {"account": "wallet:alice", "currency": "CNY", "posted": -300},
        {"account": "wallet:bob", "currency": "CNY", "posted": -400},
    ]
    trial = trial_balance(rows)
    assert trial.totals == {"CNY": {"channel": 700, "wallet": -700}}
    assert trial.balanced
    assert not trial_balance([*rows, {"account": "cost:north", "currency": "USD", "posted": 1}]).balanced
