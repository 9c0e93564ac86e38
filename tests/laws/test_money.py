"""Conserved, HoldsMatch and OneCapture."""

from __future__ import annotations

import pytest

from laws import ChannelPayment, HoldsMatch, accounts_agree, one_capture
from shared.contracts import Event
from shared.contracts.ledger import (
    SHARED_REFERENCE,
    EntryPosted,
    FundsHeld,
    PaymentUnmatched,
    Posting,
    ReturnFailed,
)
from tests.amounts import minor
from tests.laws.builders import (
    broken,
    captured,
    cost_posted,
    deposited,
    finding,
    held,
    received,
    refunded,
    return_requested,
    returned,
    transfer,
    voided,
    watched,
)

PAID_OUT = EntryPosted(entry_id="e-1", postings=transfer("supplier:north", "channel:wechat", 501), note="")
PAID = [received("o-1", 500), held("o-1", 500)]
SOLD = [*PAID, captured("o-1", 400, 100)]


def moved(event: Event, fen: int) -> Event:
    """The same event with postings of another amount."""
    first, second = vars(event)["postings"]
    return event.model_copy(update={"postings": transfer(first.account, second.account, fen)})


@pytest.mark.parametrize(
    "event",
    [received("o-1", 500), captured("o-1", 500), refunded("o-1", 500), cost_posted("o-1", 500), returned("o-1", 500)],
)
def test_an_entry_that_does_not_balance_is_named(event: Event) -> None:
    lame = event.model_copy(
        update={"postings": (*vars(event)["postings"], Posting(account="revenue:main", amount=minor(1)))}
    )

    assert finding("Conserved", event).ok
    assert finding("Conserved", lame).violations == ("the entry of o-1 does not balance (ledger 1)",)


def test_currencies_balance_apart() -> None:
    postings = (Posting(account="channel:a", amount=minor(5)), Posting(account="wallet:b", amount=minor(-5, "USD")))

    entry = EntryPosted(entry_id="e-1", postings=postings, note="")

    assert finding("Conserved", entry).violations == ("the entry of e-1 does not balance (ledger 1)",)


@pytest.mark.parametrize(
    ("event", "account", "change"),
    [
        (received("o-1", 500), "order:o-1", -500),
        (captured("o-1", 500), "order:o-1", 500),
        (refunded("o-1", 500), "order:o-1", -500),
        (cost_posted("o-1", 500), "supplier:north", -500),
    ],
)
def test_an_entry_that_moves_another_amount_than_its_event_says_is_named(
    event: Event, account: str, change: int
) -> None:
    (said,) = broken(moved(event, 499))["Conserved"]

    assert said == f"o-1: {change} of {account} was to move, {change - (change > 0) + (change < 0)} did (ledger 1)"


FAILED = ReturnFailed(payment_id="o-1", return_id="refund-1", amount=minor(100), reason="closed account")


@pytest.mark.parametrize(
    ("history", "balance"),
    [
        (PAID, (-500, 500)),
        ([*PAID, voided("o-1", 500)], (-500, 0)),
        (SOLD, (-100, 0)),
        ([*SOLD, return_requested("o-1", 100)], (-100, 100)),
        ([*SOLD, return_requested("o-1", 100), FAILED], (-100, 0)),
        ([*SOLD, FAILED], (-100, 0)),
        ([*SOLD, return_requested("o-1", 100), returned("o-1", 100)], None),
    ],
)
def test_holds_and_returns_under_way_are_what_is_held(history: list[Event], balance: tuple[int, int] | None) -> None:
    seen = watched(*history)

    assert seen.violations == []
    assert seen.law(HoldsMatch).balances.get(("order:o-1", "CNY")) == balance


def test_a_return_of_a_deposit_is_held_on_its_wallet() -> None:
    deposit = received("p-1", 500).model_copy(
        update={"account": "wallet:a", "order_id": None, "postings": transfer("channel:wechat", "wallet:a", 500)}
    )

    seen = watched(deposit, return_requested("p-1", 200))

    assert seen.violations == []
    assert seen.law(HoldsMatch).balances["wallet:a", "CNY"] == (-500, 200)


@pytest.mark.parametrize(
    ("history", "complaint"),
    [
        ([*PAID, held("o-1", 500)], "o-1 was held twice"),
        ([*PAID, voided("o-1", 500), captured("o-1", 500)], "o-1 was freed and not held"),
        ([*PAID, voided("o-1", 400)], "o-1 was held with 500 and freed with 400"),
        ([*PAID, captured("o-1", 400, 50)], "o-1 was held with 500 and freed with 450"),
        ([*SOLD, returned("o-1", 100)], "o-1 refund-1 was freed and not held"),
        (
            [*SOLD, return_requested("o-1", 100), returned("o-1", 90)],
            "o-1 refund-1 was held with 100 and freed with 90",
        ),
        (
            [deposited("wallet:a", 500), held("o-1", 300, "wallet:a"), held("o-2", 201, "wallet:a")],
            "wallet:a is overdrawn: 500 CNY is there, 501 is held",
        ),
        (
            [
                cost_posted("o-1", 500),
                EntryPosted(entry_id="e", postings=transfer("supplier:north", "revenue:x", 501), note=""),
            ],
            "supplier:north is overdrawn: -1 CNY is there, 0 is held",
        ),
    ],
)
def test_a_hold_that_does_not_match_is_named(history: list[Event], complaint: str) -> None:
    assert broken(*history[:-1]) == {}

    assert broken(*history)["HoldsMatch"] == (f"{complaint} (ledger {len(history)})",)


def test_live_accounts_agree_with_their_entries_and_holds() -> None:
    own = watched(*PAID).law(HoldsMatch).balances
    live = {("order:o-1", "CNY"): (-500, 500), ("channel:wechat", "CNY"): (500, 0), ("wallet:a", "CNY"): (0, 0)}

    assert accounts_agree(own, live).ok
    for wrong in (live | {("order:o-1", "CNY"): (-500, 499)}, live | {("wallet:a", "USD"): (1, 0)}):
        assert accounts_agree(own, wrong).broken == 1
    del live["channel:wechat", "CNY"]
    assert accounts_agree(own, live).violations == ("channel:wechat says (0, 0), its entries and holds say (500, 0)",)


def test_a_person_may_take_money_for_the_second_payment_of_one_reference() -> None:
    waits = PaymentUnmatched(
        payment_id="o-2", item="item-1", channel="wechat", channel_ref="ref", callback_id="cb", amount=minor(500),
        expected=minor(500), reason=SHARED_REFERENCE, order_id="o-2",
        postings=transfer("channel:wechat", "suspense:wechat", 500),
    )  # fmt: skip
    matched = received("o-2", 500, "ref").model_copy(update={"callback_id": "item-1"})

    assert finding("OneCapture", received("o-1", 500, "ref"), waits, matched).ok
    assert not finding("OneCapture", received("o-1", 500, "ref"), matched).ok


@pytest.mark.parametrize(
    ("history", "complaint"),
    [
        ([received("o-1", 500), received("o-1", 500)], "payment o-1 was received twice"),
        (
            [received("o-1", 500, "ref"), received("o-2", 500, "ref")],
            "payment o-2 is another one at wechat: ref",
        ),
        ([*PAID, captured("o-1", 250, 250), captured("o-1", 250)], "o-1 was captured twice"),
        ([refunded("o-1", 5)], "o-1 was refunded with 5 as refund-1, 0 more than was taken"),
        ([*SOLD, refunded("o-1", 300), refunded("o-1", 100)], "o-1 was refunded twice as refund-1"),
        (
            [*SOLD, refunded("o-1", 300), refunded("o-1", 101, "refund-2")],
            "o-1 was refunded with 101 as refund-2, 1 more than was taken",
        ),
        (
            [*SOLD, refunded("o-1", 400), return_requested("o-1", 100), returned("o-1", 100), returned("o-1", 100)],
            "o-1 was returned twice as refund-1",
        ),
        (
            [received("o-1", 500), returned("o-1", 501, "r-1")],
            "o-1 was returned with 501 as r-1, 1 more than was taken",
        ),
    ],
)
def test_money_taken_or_given_back_twice_is_named(history: list[Event], complaint: str) -> None:
    assert "OneCapture" not in broken(*history[:-1])

    assert broken(*history)["OneCapture"] == (f"{complaint} (ledger {len(history)})",)


def test_several_refunds_and_returns_are_no_second_one() -> None:
    history = [*SOLD, refunded("o-1", 300), refunded("o-1", 100, "refund-2"), return_requested("o-1", 300)]

    assert broken(*history, returned("o-1", 300)) == {}


def test_a_double_capture_is_named_as_such_first() -> None:
    violation = watched(*PAID, captured("o-1", 500), captured("o-1", 500)).violations[0]

    assert str(violation) == "OneCapture: o-1 was captured twice (ledger 4)"


def test_the_same_order_may_be_held_by_a_wallet() -> None:
    hold = FundsHeld(order_id="o-1", account="wallet:a", amount=minor(500))

    assert broken(deposited("wallet:a", 500), hold) == {}


def test_a_channel_saw_each_payment_and_return_once() -> None:
    found = one_capture([ChannelPayment("o-1", 1, 500, {"r-1": (200,), "r-2": (300,)}), ChannelPayment("o-2", 0, 0)])

    assert (found.ok, found.checked) == (True, 2)


@pytest.mark.parametrize(
    ("payment", "complaint"),
    [
        (ChannelPayment("o-1", 2, 1_000), "o-1 was collected 2 times"),
        (ChannelPayment("o-1", 1, 500, {"r-1": (100, 100)}), "o-1 was paid back 2 times as r-1"),
        (ChannelPayment("o-1", 1, 500, {"r-1": (500,), "r-2": (1,)}), "o-1: 500 was collected and 501 paid back"),
        (ChannelPayment("o-1", 0, 0, {"r-1": (1,)}), "o-1: 0 was collected and 1 paid back"),
    ],
)
def test_what_a_channel_saw_twice_is_named(payment: ChannelPayment, complaint: str) -> None:
    assert one_capture([payment]).violations == (complaint,)
