"""The command line, run as a person runs it: on files, beside a server, on damaged data."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.__main__ import SERVICES, app
from cli.started import Started
from demo.shop import Answer, until
from tests.acceptance.command import ended, kameng, process
from tests.platform.market import KEY_COLUMNS, PRODUCT_COLUMNS, csv_bytes, open_market

COMMANDS = (
    *("", "demo", "serve", "import", "import products", "import keys", "events", "order", "order show", "rebuild"),
    *(
        "migrate",
        "run",
        "log-server",
        "publisher",
        "webhooks",
        "gateway",
        "cluster",
        "cluster up",
        "cluster down",
        "cluster status",
    ),
)
PRODUCTS = [
    ("CARD-A", "Card A", "10.00", "card-key", "keys", "", "CNY"),
    ("CARD-B", "Card B", "48.50", "card-key", "keys", "", "CNY"),
]
KEYS = [("CARD-A", "A-1"), ("CARD-A", "A-2"), ("CARD-B", "B-1")]


@dataclass
class Past:
    """A folder that a server has worked on, and the order that was placed there."""

    var: Path
    order_id: str


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    var = tmp_path_factory.mktemp("past")
    with open_market(var) as market:
        market.run(market.stock({"CARD-A": ["A-1", "A-2", "A-3"]}))
        (buyer,) = market.run(market.customers(1, 10_000))
        order = market.run(buyer.place([{"sku": "CARD-A", "quantity": 2}]))
        market.run(buyer.ended(order["order_id"], "completed"))
        market.run(market.settled())
    return Past(var, order["order_id"])


@pytest.fixture
def copied(past: Past, tmp_path: Path) -> Path:
    """A copy of the folder, to be damaged."""
    return shutil.copytree(past.var, tmp_path / "var")


@pytest.mark.parametrize("command", [*COMMANDS, "verify"])
def test_help_is_given_in_two_languages(command: str) -> None:
    result = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"})

    assert result.exit_code == 0
    assert "Usage" in result.output
    assert re.search(r"[\u4e00-\u9fff]", result.output)


def test_an_import_is_tried_then_done_then_repeated(tmp_path: Path) -> None:
    products, keys, var = tmp_path / "products.csv", tmp_path / "keys.csv", tmp_path / "var"
    products.write_bytes(csv_bytes(PRODUCT_COLUMNS, PRODUCTS))
    keys.write_bytes(csv_bytes(KEY_COLUMNS, [*KEYS, ("CARD-A", ""), ("NO-SUCH", "N-1"), ("CARD-A", "=1+1")]))

    assert _imported("products", products, var, "--dry-run") == ({"listed": 2}, 0)
    assert _heads(var)["inventory"] == 0
    assert _imported("products", products, var) == ({"listed": 2}, 0)
    assert _imported("products", products, var) == ({"unchanged": 2}, 0)

    before = _heads(var)
    assert _imported("keys", keys, var, "--dry-run") == ({"loaded": 3, "bad": 2, "refused": 1}, 1)
    assert _heads(var) == before
    assert _imported("keys", keys, var) == ({"loaded": 3, "bad": 2, "refused": 1}, 1)
    assert _imported("keys", keys, var) == ({"duplicate": 3, "bad": 2, "refused": 1}, 1)


def _imported(kind: str, file: Path, var: Path, *options: str) -> tuple[dict[str, int], int]:
    ran = kameng("import", kind, str(file), "--json", *options, var=var)
    report = json.loads(ran.stdout.splitlines()[-1])
    for problem in report["problems"]:
        assert f"row {problem['row']}" in ran.stdout
    return report["counts"], ran.returncode


def _heads(var: Path) -> dict[str, int]:
    found = {}
    for service in SERVICES:
        with closing(sqlite3.connect(var / f"{service.name}.sqlite3")) as database:
            (found[service.name],) = database.execute("SELECT position FROM head").fetchone()
    return found


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "products.xlsx"
    file.write_text("no workbook")

    ran = kameng("import", "products", str(file), var=tmp_path / "var")

    assert ran.returncode == 1
    assert "not-a-workbook" in ran.stderr


def test_events_are_shown_one_a_line(past: Past) -> None:
    ran = kameng("events", "order", "--limit", "1000", var=past.var)

    shown = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 0
    assert [one["position"] for one in shown] == list(range(1, len(shown) + 1))
    assert {"OrderPlaced.v1", "OrderCompleted.v1"} <= {one["type"] for one in shown}
    assert not any("buyer_key" in one["data"] for one in shown)


@pytest.mark.parametrize(
    ("options", "count"),
    [(("--limit", "3"), 3), (("--after", "2", "--limit", "1"), 1), (("--as-of", "2000-01-01"), 0)],
)
def test_events_can_be_narrowed(past: Past, options: tuple[str, ...], count: int) -> None:
    ran = kameng("events", "order", *options, var=past.var)

    assert ran.returncode == 0
    assert len(ran.stdout.splitlines()) == count


def test_an_unknown_service_or_folder_is_named(past: Past, tmp_path: Path) -> None:
    ran = kameng("events", "shipping", var=past.var)
    assert ran.returncode == 2
    assert "there is no service shipping" in ran.stderr

    ran = kameng("events", "order", var=tmp_path)
    assert ran.returncode == 1
    assert "holds no data" in ran.stderr


def test_an_order_is_shown_from_placed_to_its_end(past: Past) -> None:
    ran = kameng("order", "show", past.order_id, var=past.var)

    assert ran.returncode == 0
    for check in ("OrderScreened", "FundsHeld"):  # at the same time
        steps = ("OrderPlaced", check, "OrderConfirmed", "KeysDelivered", "OrderCompleted", "FundsCaptured")
        places = [ran.stdout.find(step) for step in steps]
        assert places == sorted(places)
        assert places[0] > 0
    assert "2 × Card CARD-A (CARD-A) = 20.00 CNY" in ran.stdout

    ran = kameng("order", "show", "no-such-order", var=past.var)
    assert ran.returncode == 1
    assert "no order no-such-order" in ran.stderr


def test_intact_data_is_verified(past: Past) -> None:
    ran = kameng("verify", "--json", var=past.var)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    proofs = json.loads(ran.stdout.splitlines()[-1])["proofs"]
    assert [proof["ok"] for proof in proofs] == [True] * 4


def test_a_damaged_table_is_found_and_rebuilt(copied: Path) -> None:
    with closing(sqlite3.connect(copied / "gateway.sqlite3")) as database, database:
        assert database.execute("UPDATE orders SET total = total + 1").rowcount == 1

    broken = kameng("verify", var=copied)
    assert broken.returncode == 1
    assert "gateway.orders: 1 rows differ" in broken.stdout

    assert kameng("rebuild", "gateway", var=copied).returncode == 0
    assert kameng("verify", var=copied).returncode == 0


def test_a_damaged_balance_breaks_two_proofs(copied: Path) -> None:
    with closing(sqlite3.connect(copied / "ledger.sqlite3")) as database, database:
        assert database.execute("UPDATE accounts SET posted = posted - 1 WHERE account LIKE 'wallet:%'").rowcount == 1

    broken = kameng("verify", "--json", var=copied)
    assert broken.returncode == 1
    proofs = json.loads(broken.stdout.splitlines()[-1])["proofs"]
    assert {proof["name"] for proof in proofs if not proof["ok"]} == {"ledger_balanced", "rebuild_equal"}

    assert kameng("rebuild", "all", var=copied).returncode == 0
    assert kameng("verify", var=copied).returncode == 0


@pytest.mark.parametrize("field", ["data", "meta", "at", "hash", "stream"])
def test_a_flipped_byte_in_the_log_is_found_where_it_is(copied: Path, field: str) -> None:
    with closing(sqlite3.connect(copied / "order.sqlite3")) as database, database:
        (whole,) = database.execute(f"SELECT {field} FROM log WHERE position = 2").fetchone()  # noqa: S608
        database.execute(f"UPDATE log SET {field} = ? WHERE position = 2", (_flipped(whole),))  # noqa: S608

    broken = kameng("verify", var=copied)

    assert broken.returncode == 1
    assert "order: the log was changed at position 2" in broken.stdout
    rebuilt = kameng("rebuild", "gateway", var=copied)
    assert rebuilt.returncode == 1
    assert "order: the log was changed at position 2" in rebuilt.stderr


def _flipped(whole: bytes | str) -> bytes | str:
    raw = bytearray(whole if isinstance(whole, bytes) else whole.encode())
    raw[-2] ^= 1
    return bytes(raw) if isinstance(whole, bytes) else raw.decode()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    var = tmp_path_factory.mktemp("serving")
    before = os.umask(0)  # what is private must not rest on it
    try:
        with open_market(var) as market:
            yield market.platform.var
    finally:
        os.umask(before)


def test_a_folder_is_served_once(serving: Path) -> None:
    ran = kameng("serve", "--port", "0", var=serving)

    assert ran.returncode == 1
    assert "another process works on" in ran.stderr
    assert "Stop it first" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert json.loads((serving / "serve.json").read_text())["address"]


def test_a_served_folder_is_not_rebuilt(serving: Path) -> None:
    ran = kameng("rebuild", "all", var=serving)

    assert ran.returncode == 1
    assert "Stop it first" in ran.stderr


def test_a_served_folder_is_imported_to_and_verified(serving: Path, tmp_path: Path) -> None:
    products = tmp_path / "products.csv"
    products.write_bytes(csv_bytes(PRODUCT_COLUMNS, PRODUCTS))

    assert _imported("products", products, serving) == ({"listed": 2}, 0)
    assert kameng("verify", var=serving).returncode == 0


def test_what_a_served_folder_holds_is_its_owners_alone(serving: Path, tmp_path: Path) -> None:
    products = tmp_path / "products.csv"
    products.write_bytes(csv_bytes(PRODUCT_COLUMNS, PRODUCTS))
    assert _imported("products", products, serving)[1] == 0

    modes = {path.relative_to(serving): (path.is_dir(), path.stat().st_mode & 0o777) for path in serving.rglob("*")}

    assert {name for name, (_, mode) in modes.items() if mode & 0o077} == set()
    assert {mode for is_folder, mode in modes.values() if is_folder} == {0o700}
    assert {mode for is_folder, mode in modes.values() if not is_folder} == {0o600}
    assert {Path("serve.json"), Path("lock"), Path("secrets/tokens"), Path("order.sqlite3-wal")} <= modes.keys()
    assert any(name.parts[0] == "imports" for name in modes if name.suffix == ".csv")


def test_the_cluster_of_a_folder_is_imported_to(serving: Path, tmp_path: Path) -> None:
    """It is the API that was started there which is asked."""
    products = tmp_path / "products.csv"
    products.write_bytes(csv_bytes(PRODUCT_COLUMNS, [("CARD-C", *PRODUCTS[0][1:])]))
    shutil.copytree(serving / "secrets", tmp_path / "secrets")
    assert "no cluster runs" in kameng("import", "products", str(products), "--cluster", var=tmp_path).stderr

    Started(json.loads((serving / "serve.json").read_text())["address"], {}).write(tmp_path)
    assert _imported("products", products, tmp_path, "--cluster") == ({"listed": 1}, 0)

    Started("http://127.0.0.1:1", {}).write(tmp_path)
    assert (
        "127.0.0.1:1 does not answer" in kameng("import", "products", str(products), "--cluster", var=tmp_path).stderr
    )


def test_a_taken_port_is_named(serving: Path, tmp_path: Path) -> None:
    port = json.loads((serving / "serve.json").read_text())["address"].rpartition(":")[2]

    ran = kameng("serve", "--port", port, var=tmp_path)

    assert ran.returncode == 1
    assert f"127.0.0.1:{port} can't be listened on" in ran.stderr


def test_a_terminated_server_settles_and_leaves(tmp_path: Path) -> None:
    serving = process("serve", "--port", "0", var=tmp_path)
    file = tmp_path / "serve.json"

    async def answers() -> Answer | None:
        assert serving.poll() is None
        return json.loads(file.read_text() or "null") if file.exists() else None

    asyncio.run(until("the server to tell its address", answers))
    serving.terminate()
    ran = ended(serving)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert not file.exists()
    assert not list(tmp_path.glob("*-wal"))
    assert "Traceback" not in ran.stderr
