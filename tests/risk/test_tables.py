"""What a screening reads from the tables, and how cheaply."""

from __future__ import annotations

from datetime import timedelta

from services.risk.domain.screening import Listed
from services.risk.tables import LIST_ENTRIES, SWEEP_EVERY, WINDOWS
from shared.contracts.risk import ListEntryRemoved, ListEntrySet
from tests.risk.builders import NOW, Desk, order

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
    desk = Desk()
    desk.screen(BUSY)
    desk.go_cold()

    desk.queries = 0
    assert desk.tables.known(BUSY).histories
    assert desk.queries == 2

    desk.queries = 0
    desk.screen(BUSY)
    assert desk.queries == 0


def test_history_and_lists_survive_a_restart():
    desk = Desk()
    for number in range(30):
        desk.screen(order(f"o{number}"), number)
    desk.apply([ENTRY])
    warm = desk.tables.known(order(targets=("13800000000",)))

    desk.go_cold()

    assert desk.tables.known(order(targets=("13800000000",))) == warm
    assert warm.listed == [Listed("target:13800000000", "watch", ENTRY.until)]
    assert desk.screen(order("o30"), 30).reasons == ("velocity:device>30/60s",)


def test_a_removed_entry_is_gone():
    desk = Desk()
    desk.apply([ENTRY, ListEntryRemoved(entry=ENTRY.entry, reason="settled")])
    assert desk.tables.known(order(targets=("13800000000",))).listed == []
    assert desk.rows(LIST_ENTRIES) == []


def test_idle_histories_are_swept():
    desk = Desk()
    for number in range(SWEEP_EVERY - 1):
        desk.screen(order(f"o{number}", customer="bob", ip=f"ip-{number}", device="", fen=1))
    assert len(desk.rows(WINDOWS)) == SWEEP_EVERY

    desk.screen(order("last", customer="bob", ip="ip-last", device=""), seconds=3_600)

    assert {(row["dimension"], row["value"]) for row in desk.rows(WINDOWS)} == {("customer", "bob"), ("ip", "ip-last")}
