"""The whole import against a stand-in for inventory."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from services.gateway.imports import run
from services.gateway.imports.keys import MAX_BUFFERED, Lots, ParsedKey
from services.gateway.imports.model import BadFile, RawRow
from services.gateway.imports.report import KEPT_CHANGES, Change, Report, RowFate, read_fates
from services.gateway.imports.sheets import Sheet
from shared.contracts import Command
from shared.contracts.inventory import Listing, ListProduct, LoadKeys
from shared.messages.messages import Reply
from shared.security.sealing import Opener
from tests.gateway.imports.builders import SEALING, STOCK_KEYS, Inventory, read_rows, write_csv
from tests.waiting import PATIENCE

PRODUCTS = [
    ["sku", "name", "price"],
    ["A", "Card A", "48.50"],
    ["B", "Card B", "free"],
    ["C", "Card C", "1"],
    ["A", "Card A again", "2"],
    ["D", "Card D", "3"],
]


def table(rows: Sequence[Sequence[str | int | float | None]]) -> Sheet:
    return Sheet(RawRow(number, list(row)) for number, row in enumerate(rows, start=1))


def products(
    inventory: Inventory, sheet: Sheet, fates: Path, *, dry_run: bool = False, import_id: str = "i1"
) -> Report:
    return asyncio.run(run.import_products(sheet, inventory.send, import_id=import_id, fates=fates, dry_run=dry_run))


def keys(inventory: Inventory, sheet: Sheet, fates: Path, *, dry_run: bool = False) -> Report:
    ids = iter(range(10**6))
    return asyncio.run(
        run.import_keys(
            sheet, inventory.send, SEALING, import_id="i1", new_id=lambda: f"c{next(ids)}", fates=fates, dry_run=dry_run
        )
    )


def by_row(fates: Path) -> list[RowFate]:
    return sorted(read_fates(fates, limit=10**6), key=lambda fate: fate.row)


def test_one_bad_row_never_loses_a_good_one(tmp_path: Path) -> None:
    inventory = Inventory(silent=frozenset({"D"}))

    report = products(inventory, table(PRODUCTS), tmp_path / "fates.csv")

    assert set(inventory.listings) == {"A", "C"}
    assert report.counts == {"listed": 2, "bad": 1, "duplicate": 1, "unanswered": 1}
    assert report.rows == 5
    assert [(fate.row, fate.fate) for fate in by_row(tmp_path / "fates.csv")] == [
        (2, "listed"), (3, "bad"), (4, "listed"), (5, "duplicate"), (6, "unanswered"),
    ]  # fmt: skip
    assert {fate.row for fate in report.problems} == {3, 6}


def test_a_dry_run_tells_the_fates_that_the_import_then_brings(tmp_path: Path) -> None:
    inventory = Inventory()
    products(inventory, table([PRODUCTS[0], ["A", "Card A", "48.50"], ["C", "Old name", "1"]]), tmp_path / "before.csv")
    listings = dict(inventory.listings)

    tried = products(inventory, table(PRODUCTS), tmp_path / "tried.csv", dry_run=True)
    untouched = inventory.listings == listings
    done = products(inventory, table(PRODUCTS), tmp_path / "done.csv")

    assert untouched
    assert by_row(tmp_path / "tried.csv") == by_row(tmp_path / "done.csv")
    assert tried.counts == done.counts == {"unchanged": 1, "changed": 1, "listed": 1, "bad": 1, "duplicate": 1}


def test_what_changes_is_listed_by_row_and_field_with_the_old_and_the_new_value(tmp_path: Path) -> None:
    def old_and_new(amount: int, currency: str = "CNY") -> dict[str, object]:
        return {"amount": amount, "currency": currency}

    async def send(_: str, command: Command) -> Reply:
        changes = {"price": [old_and_new(100), old_and_new(120)], "tags": [[], ["a", "b"]]}
        return Reply("accepted", "inventory", 1, answer={"fate": "changed", "changes": changes})

    rows = table([["sku", "name", "price"], *([f"A{n}", "n", "1.20"] for n in range(300))])
    report = asyncio.run(run.import_products(rows, send, import_id="i", fates=tmp_path / "f", dry_run=True))

    assert report.changes[0] == Change(2, "A0", "price", old_and_new(100), old_and_new(120))
    assert report.changed_fields == {"price": 300, "tags": 300}
    assert len(report.changes) == KEPT_CHANGES
    lines = (tmp_path / "f").read_text().splitlines()
    assert lines[1] == '2,changed,,,,"price: 1.00 CNY -> 1.20 CNY; tags: nothing -> a, b"'
    assert len(lines) == 301


def test_the_same_import_repeats_its_command_ids_and_another_one_does_not(tmp_path: Path) -> None:
    inventory = Inventory()
    for import_id, dry_run in (("i1", False), ("i1", False), ("i1", True), ("i2", False)):
        products(inventory, table(PRODUCTS[:2]), tmp_path / "f.csv", import_id=import_id, dry_run=dry_run)

    first, again, tried, other = [command_id for command_id, _ in inventory.sent]
    assert first == again
    assert len({first, tried, other}) == 3


def test_commands_in_flight_are_bounded(tmp_path: Path) -> None:
    flying, most = 0, 0

    async def send(_: str, command: Command) -> Reply:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0)
        flying -= 1
        return Reply("accepted", "inventory", 1, answer={"fate": "listed"})

    rows = table([["sku", "name", "price"], *([f"A{n}", "n", "1"] for n in range(1200))])
    progress: list[int] = []
    asyncio.run(
        run.import_products(
            rows, send, import_id="i", fates=tmp_path / "f", progress=lambda report: progress.append(report.rows)
        )
    )

    assert 1 < most <= run.PRODUCTS_IN_FLIGHT
    assert progress == [500, 1000, 1200, 1200]


def test_an_unexpected_error_stops_the_import(tmp_path: Path) -> None:
    async def send(_: str, command: Command) -> Reply:
        raise LookupError("wiring")

    with pytest.raises(ExceptionGroup):
        asyncio.run(run.import_products(table(PRODUCTS), send, import_id="i", fates=tmp_path / "f"))


def test_keys_arrive_sealed_to_their_sku_and_a_second_import_loads_none(tmp_path: Path) -> None:
    inventory = Inventory(listings={"A": 1, "B": 1})
    rows = [["sku", "key"], *([("A", "B")[n % 2], f"DEMO-{n}"] for n in range(2500)), ["A", "DEMO-7"], ["X", "DEMO-X"]]

    tried = keys(inventory, table(rows), tmp_path / "tried.csv", dry_run=True)
    first = keys(inventory, table(rows), tmp_path / "first.csv")
    loads = [command for _, command in inventory.sent if isinstance(command, LoadKeys) and not command.dry_run]
    second = keys(inventory, table(rows), tmp_path / "second.csv")

    opener = Opener(STOCK_KEYS.private)
    opened = Counter((load.sku, opener.open(key.box, load.sku)) for load in loads for key in load.keys)
    assert opened == Counter((sku, plain) for sku, plain in rows[1:-2]) + Counter({("X", "DEMO-X"): 1})
    assert all(len(load.keys) <= 1000 and load.batch_id == "i1" for load in loads)
    assert tried.counts == first.counts == {"loaded": 2500, "duplicate": 1, "refused": 1}
    assert by_row(tmp_path / "tried.csv") == by_row(tmp_path / "first.csv")
    assert second.counts == {"duplicate": 2501, "refused": 1}


def test_a_key_column_taken_for_the_sku_does_not_show_in_the_fates(tmp_path: Path) -> None:
    keys(Inventory(), table([["sku", "key"], ["DEMO-SECRET", "A"]]), tmp_path / "fates.csv")

    assert "SECRET" not in (tmp_path / "fates.csv").read_text()


def test_a_key_that_a_supplier_has_delivered_is_a_duplicate_with_its_own_reason(tmp_path: Path) -> None:
    inventory = Inventory(listings={"A": 1})
    keys(inventory, table([["sku", "key"], ["A", "DEMO-1"], ["A", "DEMO-2"]]), tmp_path / "fates.csv")
    [loaded] = [command for _, command in inventory.sent if isinstance(command, LoadKeys)]
    inventory.supplied = {loaded.keys[1].index}

    report = keys(inventory, table([["sku", "key"], ["A", "DEMO-1"], ["A", "DEMO-2"]]), tmp_path / "fates.csv")

    assert report.counts == {"duplicate": 2}
    fates = (tmp_path / "fates.csv").read_text()
    assert "the key was loaded before" in fates
    assert "a supplier has delivered the key for an order" in fates


def test_plain_keys_stay_out_of_fates_reports_and_commands(tmp_path: Path) -> None:
    bad = ["=SECRET-1", "@SECRET-2", "SECRET\n3", "SECRET" * 100]
    good = [f"SECRET-{n}" for n in range(50)]
    inventory = Inventory(listings={"A": 1}, silent=frozenset({"S"}))
    rows = [["sku", "key", "cost"], *(["A", plain, "1"] for plain in bad + good + good[:3])]
    rows += [["X", "SECRET-X", "1"], ["S", "SECRET-S", "1"], ["A", "SECRET-C", "SECRET-D"]]

    report = keys(inventory, table(rows), tmp_path / "fates.csv")

    assert report.counts == {"bad": 5, "loaded": 50, "duplicate": 3, "refused": 1, "unanswered": 1}
    output = (tmp_path / "fates.csv").read_text() + repr(report) + repr(inventory.sent)
    assert "SECRET" not in output


def test_many_lots_are_held_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []

    class Watched(Lots):
        def add(self, key: ParsedKey) -> Iterator[list[ParsedKey]]:
            chunks = list(super().add(key))
            held.append(self.buffered + sum(map(len, chunks)))
            return iter(chunks)

    monkeypatch.setattr(run, "Lots", Watched)
    inventory = Inventory(listings={f"S{n}": 1 for n in range(25)})
    rows = ([f"S{n % 25}", f"DEMO-{n}"] for n in range(22_000))

    report = keys(inventory, table([["sku", "key"], *rows]), tmp_path / "fates.csv")

    assert report.counts == {"loaded": 22_000}
    assert 15_000 < max(held) <= MAX_BUFFERED


def test_a_file_that_breaks_off_keeps_the_rows_before(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [["sku", "name", "price"], *([f"A{n}", "n", "1"] for n in range(600))])
    with path.open("a") as file:
        file.write('B,"never closed,1\n')

    report = products(Inventory(), read_rows(path, "a.csv"), tmp_path / "fates.csv")

    assert report.counts == {"listed": 600}
    assert report.broken is not None
    assert report.broken.code == "damaged-file"


def test_columns_that_do_not_fit_stop_everything_before_it_begins(tmp_path: Path) -> None:
    inventory = Inventory()
    with pytest.raises(BadFile, match="missing-column"):
        products(inventory, table([["sku", "name"], ["A", "n"]]), tmp_path / "fates.csv")
    assert inventory.sent == []
    assert not os.path.exists(tmp_path / "fates.csv")


def test_a_key_whose_last_good_day_is_over_has_a_fate_of_its_own(tmp_path: Path) -> None:
    inventory = Inventory(listings={"A": object()})
    sheet = table([["sku", "key", "expires"], ["A", "DEMO-1", "2026-02-28"], ["A", "DEMO-2", "2026-03-01"]])

    report = keys(inventory, sheet, tmp_path / "fates.csv")

    assert report.counts == {"expired": 1, "loaded": 1}
    assert [(fate.row, fate.fate, fate.field) for fate in report.problems] == [(2, "expired", "expires")]


def test_a_key_is_a_duplicate_only_of_one_that_was_taken(tmp_path: Path) -> None:
    inventory = Inventory(listings={"A": 1}, silent=frozenset({"S"}))
    rows = [
        ["sku", "key", "expires"],
        ["A", "DEMO-1", "2020-01-01"], ["A", "DEMO-1", "2030-01-01"], ["A", "DEMO-1", "2031-01-01"],
        ["X", "DEMO-2", None], ["X", "DEMO-2", None], ["A", "DEMO-2", None], ["X", "DEMO-2", None],
        ["S", "DEMO-3", None], ["A", "DEMO-3", None],
    ]  # fmt: skip

    tried = keys(inventory, table(rows), tmp_path / "tried.csv", dry_run=True)
    done = keys(inventory, table(rows), tmp_path / "done.csv")

    assert [fate.fate for fate in by_row(tmp_path / "done.csv")] == [
        "expired", "loaded", "duplicate", "refused", "refused", "loaded", "duplicate", "unanswered", "unanswered",
    ]  # fmt: skip
    assert by_row(tmp_path / "tried.csv") == by_row(tmp_path / "done.csv")
    assert tried.counts == done.counts
    assert len(inventory.indexes) == 2


def test_a_product_is_a_duplicate_only_of_one_that_was_taken(tmp_path: Path) -> None:
    inventory = Inventory(silent=frozenset({"S"}))

    async def send(command_id: str, command: Command) -> Reply:
        if isinstance(command, ListProduct) and command.listing.price.currency == "EUR":
            return Reply("refused", "inventory", 1, code="currency-not-traded", detail="not traded", status=422)
        return await inventory.send(command_id, command)

    rows = [
        ["sku", "name", "price", "currency"],
        ["Q", "first", "1", "EUR"], ["Q", "second", "2", "CNY"], ["Q", "third", "3", "CNY"], ["S", "s", "1", "CNY"],
        ["S", "s", "1", "EUR"],
    ]  # fmt: skip
    for dry_run in (True, False):
        fates = tmp_path / f"{dry_run}.csv"
        asyncio.run(run.import_products(table(rows), send, import_id="i", fates=fates, dry_run=dry_run))
        assert [fate.fate for fate in by_row(fates)] == ["refused", "listed", "duplicate", "unanswered", "unanswered"]

    assert isinstance(listing := inventory.listings["Q"], Listing)
    assert listing.name == "second"


def test_few_rows_wait_for_earlier_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "MOST_WAITING", 10)
    rows = [["sku", "key"], *([("A", "X")[n % 2], f"DEMO-{n % 2}-{n % 7}"] for n in range(300)), ["A", "DEMO-1-0"]]
    inventory = Inventory(listings={"A": 1})

    report = keys(inventory, table(rows), tmp_path / "fates.csv")

    # The last row is not judged: three of its key were refused.
    assert report.counts == {"loaded": 7, "duplicate": 143, "refused": 151}


def test_repeats_of_what_is_refused_are_asked_about_a_few_times_and_get_the_same_answer(tmp_path: Path) -> None:
    sent: list[str] = []

    async def send(_: str, command: Command) -> Reply:
        assert isinstance(command, ListProduct)
        sent.append(command.sku)
        await asyncio.sleep(0)
        return Reply("refused", "inventory", 1, code="currency-not-traded", detail="not traded", status=422)

    rows = [["sku", "name", "price"], *([("A", "B")[n % 2], "n", "1"] for n in range(12_000)), ["C", "n", "1"]]
    for dry_run in (True, False):
        sent.clear()
        fates = tmp_path / f"{dry_run}.csv"
        asyncio.run(run.import_products(table(rows), send, import_id="i", fates=fates, dry_run=dry_run))
        assert Counter(sent) == {"A": 3, "B": 3, "C": 1}

    done = by_row(tmp_path / "False.csv")
    assert done == by_row(tmp_path / "True.csv")
    assert {(fate.fate, fate.code) for fate in done} == {("refused", "currency-not-traded")}
    assert [fate.detail for fate in done[4:8]] == ["not traded"] * 2 + ["refused, as the rows of the SKU before it"] * 2
    assert len(done) == 12_001


def test_a_repeat_of_what_is_refused_waits_for_no_other_row(tmp_path: Path) -> None:
    """SLOW is answered when the repeat was sent."""
    answered = asyncio.Event()

    async def send(_: str, command: Command) -> Reply:
        assert isinstance(command, ListProduct)
        if command.sku == "SLOW":
            await asyncio.wait_for(answered.wait(), timeout=PATIENCE)
        elif command.listing.name == "second":
            answered.set()
        else:
            return Reply("refused", "inventory", 1, code="currency-not-traded", detail="not traded", status=422)
        return Reply("accepted", "inventory", 1, answer={"fate": "listed"})

    rows = [["sku", "name", "price"], ["SLOW", "slow", "1"], ["A", "first", "1"], ["A", "second", "1"]]
    report = asyncio.run(run.import_products(table(rows), send, import_id="i", fates=tmp_path / "fates.csv"))

    assert report.counts == {"listed": 2, "refused": 1}


@pytest.mark.parametrize(("sku", "fate", "expires"), [("X", "refused", None), ("A", "expired", "2020-01-01")])
def test_repeats_of_a_key_that_is_not_taken_are_sent_a_few_times(
    tmp_path: Path, sku: str, fate: str, expires: str | None
) -> None:
    inventory = Inventory(listings={"A": 1})
    rows = [["sku", "key", "expires"], *([sku, f"DEMO-{n % 5}", expires] for n in range(12_000)), ["A", "DEMO-9", None]]

    tried = keys(inventory, table(rows), tmp_path / "tried.csv", dry_run=True)
    inventory.sent.clear()
    done = keys(inventory, table(rows), tmp_path / "done.csv")

    loads = [command for _, command in inventory.sent if isinstance(command, LoadKeys)]
    assert sum(len(load.keys) for load in loads) == 3 * 5 + 1
    assert len(loads) == 3 + 1
    assert tried.counts == done.counts == {fate: 12_000, "loaded": 1}
    assert by_row(tmp_path / "tried.csv") == by_row(tmp_path / "done.csv")
