"""What a screening reads from the tables, and how cheaply."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.risk.domain.screening import Listed
from services.risk.projection import LIST_ENTRIES, SWEEP_EVERY, WINDOWS
from shared.contracts.risk import Dimension, ListEntryRemoved, ListEntrySet, ListName
from tests.risk.builders import NOW, Screener, entry, order

ENTRY = ListEntrySet(
    entry="target:13800000000",
    list="watch",
    dimension="target",
    value="13800000000",
    reason="complaint",
    until=NOW + timedelta(days=1),
)
BUSY = order(targets=tuple(f"1380000{number:04}" for number in range(90)))


def test_a_cold_order_takes_two_queries_and_a_warm_one_none():
    screener = Screener()
    screener.screen(BUSY)
    screener.go_cold()

    screener.queries = 0
    assert screener.projection.known(BUSY).histories
    assert screener.queries == 2

    screener.queries = 0
    screener.screen(BUSY)
    assert screener.queries == 0


def test_history_and_lists_survive_a_restart():
    screener = Screener()
    for number in range(30):
        screener.screen(order(f"o{number}"), number)
    screener.apply([ENTRY])
    warm = screener.projection.known(order(targets=("13800000000",)))

    screener.go_cold()

    assert screener.projection.known(order(targets=("13800000000",))) == warm
    assert warm.listed == [Listed("target:13800000000", "watch", ENTRY.until)]  # as the log of a version before has it
    assert screener.screen(order("o30"), 30).reasons == ("velocity:device>30/60s",)


def test_a_removed_entry_is_gone():
    screener = Screener()
    screener.apply([ENTRY, ListEntryRemoved(entry=ENTRY.entry, reason="settled")])
    assert screener.projection.known(order(targets=("13800000000",))).listed == []
    assert screener.rows(LIST_ENTRIES) == []


@pytest.mark.parametrize(
    ("dimension", "stored", "asked"),
    [
        ("target", "138 0013 8000", "+86 138-0013-8000"),
        ("target", "13800138000 ", "13800138000"),
        ("target", "ABC", "abc\u200b"),
        ("device", "Pixel 7", "pixel  7"),
        ("ip", "2001:DB8::1", "2001:db8::2"),
        ("ip", "::ffff:1.2.3.4", "1.2.3.4"),
        ("ip", "1.2.3.4", "::ffff:1.2.3.4"),
    ],
)
def test_an_entry_that_a_version_before_took_is_found_in_every_spelling(dimension: Dimension, stored: str, asked: str):
    screener = Screener()
    screener.apply([entry(dimension, stored)])

    changes: dict[str, Any] = {"targets": (asked,)} if dimension == "target" else {dimension: asked}
    assert screener.screen(order(**changes)).decision == "block"


@pytest.mark.parametrize(
    "asked",
    [
        "13900139000,13900139000",
        "13900139000 13800138000",
        "①13900139000",
        "1390013900Ⅰ 13900139000",
        "my number is 13900139000",
        "x@y.com a@b.com",
    ],
)
@pytest.mark.parametrize(("name", "decision"), [("block", "block"), ("watch", "review"), ("allow", "pass")])
def test_a_listed_number_or_address_is_found_within_a_target_and_allows_nothing_there(
    asked: str, name: ListName, decision: str
):
    screener = Screener()
    screener.apply([entry("target", value, list=name) for value in ("13900139000", "a@b.com")])
    screener.go_cold()

    screened = screener.screen(order(targets=(asked,)))
    assert screened.decision == decision
    assert bool(screened.reasons) is (name != "allow")


def test_a_target_with_many_numbers_takes_two_queries_and_is_counted_once():
    screener, other = Screener(), Screener()
    many = order(targets=("".join(f"1390013{number:04}" for number in range(18)),))
    screener.screen(many)
    other.screen(order(targets=("acc",)))
    for one in (screener, other):
        one.go_cold()
    assert len(screener.rows(WINDOWS)) == len(other.rows(WINDOWS))

    screener.queries = 0
    assert screener.projection.known(many).histories
    assert screener.queries == 2


def test_of_two_spellings_on_two_lists_each_counts_until_it_is_removed():
    screener = Screener()
    asked = order(targets=("acc",))
    screener.apply([entry("target", "Acc"), entry("target", "acc", list="watch")])
    assert screener.screen(asked).decision == "block"

    screener.go_cold()
    screener.apply([ListEntryRemoved(entry="target:acc", reason="as a version before removed one spelling")])
    assert screener.screen(asked).decision == "block"

    screener.apply([ListEntryRemoved(entry="target:acc", reason="mistake", spellings=("target:Acc",))])
    assert screener.screen(asked).decision == "pass"
    assert screener.rows(LIST_ENTRIES) == []


def test_one_person_with_many_addresses_of_a_network_is_counted_as_one():
    screener = Screener()
    for number in range(60):
        screener.screen(order(f"o{number}", ip=f"2001:db8::{number:x}", device=f"phone-{number}", fen=1), number / 10)

    assert screener.screen(order("last", ip="2001:db8::ffff", device="", fen=1), 7).reasons == ("velocity:ip>60/60s",)


def test_one_number_in_many_spellings_is_counted_as_one():
    screener = Screener()
    spelled = ("13800138000", "138 0013 8000", "+8613800138000", "138-0013-8000 ", "\uff11\uff13800138000")
    for number in range(10):
        screener.screen(order(f"o{number}", targets=(spelled[number % 5],), ip="", device="", fen=1), number)

    last = screener.screen(order("last", targets=("(+86)13800138000",), ip="", device="", fen=1), 11)
    assert last.reasons == ("velocity:own-target>10/3600s",)


def test_idle_histories_are_swept():
    screener = Screener()
    for number in range(SWEEP_EVERY - 1):
        screener.screen(order(f"o{number}", customer="bob", ip=f"ip-{number}", device="", fen=1))
    assert len(screener.rows(WINDOWS)) == SWEEP_EVERY

    screener.screen(order("last", customer="bob", ip="ip-last", device=""), seconds=3_600)

    assert {(row["dimension"], row["value"]) for row in screener.rows(WINDOWS)} == {
        ("customer", "bob"),
        ("ip", "ip-last"),
    }


@pytest.mark.parametrize("entry", ["a1", "", ":", "colour:red", "ip"])
def test_what_names_no_dimension_is_on_no_list(entry: str):
    assert Screener().projection.spellings(entry) == []
