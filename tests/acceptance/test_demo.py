"""`kameng demo` is what a newcomer runs first: it takes every path and proves the result."""

from __future__ import annotations

import json
from pathlib import Path

from demo.scenario import SHARES, SMALLEST
from tests.acceptance.command import ended, kameng, process

ORDERS = SMALLEST + 17


def test_the_demo_takes_every_path_and_proves_itself(tmp_path: Path) -> None:
    var = tmp_path / "demo"
    ran = ended(process("demo", "--orders", str(ORDERS), "--customers", "20", "--json", var=var))

    assert ran.returncode == 0, ran.stdout + ran.stderr
    summary = json.loads(ran.stdout.splitlines()[-1])
    assert summary["ok"] is True
    assert summary["failures"] == []
    assert {path: sum(ends.values()) for path, ends in summary["outcomes"].items()} == {**SHARES, "sold": 17}
    assert all(proof["ok"] for proof in summary["proofs"].values())
    assert set(summary["proofs"]) == {"keys_once", "paid_ended", "ledger_balanced", "rebuild_equal"}
    assert summary["var"] == str(var)


def test_the_demo_leaves_other_data_alone(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")

    ran = kameng("demo", var=tmp_path)

    assert ran.returncode == 1
    assert "holds other data" in ran.stderr
    assert precious.read_text() == "mine"
