"""The commands themselves, on a copy of the contracts that somebody changes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
INVENTORY = "shared/contracts/inventory.py"
KEY = "inventory.StockShort"
SHORT = '''class StockShort(Event, key="sku"):
    """Keys for a line could not be reserved; `available` were left. For an unpaid order that may have been enough: such
    orders may reserve only a share of the stock."""

    sku: Sku
    order_id: OrderId
    line: Line
    attempt: Attempt
    quantity: Annotated[int, Doc("How many pieces were wanted.", 5)]
    available: Available
    short_for: Annotated[
        ShortFor, Doc("What was too small: the stock, the share of unpaid orders, or that of one buyer.", "stock")
    ] = "stock"
'''
WAS = SHORT.replace("StockShort(Event, ", 'StockShortV1(Former, of="StockShort", version=1, ')
NEW = SHORT.replace('"sku"', '"sku", version=2').replace("available:", "left:").replace("`available`", "`left`")
UP = '\n\n@upcaster("StockShort", 1)\ndef _left(body):\n    return {**body, "left": body["available"]}\n'
DOWN = (
    '\n\n@downcaster("StockShort", 2, until=date(2999, 1, 1))\n'
    'def _available(body):\n    return {**body, "available": body["left"]}\n'
)
IMPORTS = "from shared.contracts.base import Former\nfrom shared.contracts.registry import downcaster, upcaster\n"


class Copy:
    """The contracts, what is generated from them, and what is stored, in a folder of their own."""

    def __init__(self, root: Path) -> None:
        self.root, self.home = root, root / "docs/events"

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text(encoding="utf-8")
        assert old in text
        (self.root / path).write_text(text.replace(old, new, 1), encoding="utf-8")

    def run(self, what: str) -> tuple[int, str]:
        command = [sys.executable, "-B", "-m", "shared.published", what]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, done.stdout + done.stderr

    def files(self) -> dict[str, str]:
        return {str(path): path.read_text(encoding="utf-8") for path in self.home.rglob("*") if path.is_file()}

    def read(self, path: str) -> dict[str, Any]:
        return json.loads((self.home / path).read_text(encoding="utf-8"))


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    shutil.copytree(ROOT / "shared", tmp_path / "shared", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "docs/events", tmp_path / "docs/events")
    return Copy(tmp_path)


def break_field(copy: Copy) -> None:
    copy.edit(INVENTORY, SHORT, SHORT.replace("quantity: Annotated[int", "quantity: Annotated[str"))


def next_version(copy: Copy, *more: str, former: str = WAS) -> None:
    copy.edit(INVENTORY, "from shared.contracts.base", f"{IMPORTS}from shared.contracts.base")
    copy.edit(INVENTORY, SHORT, "\n\n".join([NEW, former]) + "".join(more))


def without_meaning(copy: Copy) -> None:
    copy.edit(INVENTORY, SHORT, SHORT + '    note: Text = ""\n')


def without_former(copy: Copy) -> None:
    next_version(copy, UP, DOWN, former="")


def without_upcaster(copy: Copy) -> None:
    next_version(copy, DOWN)


def without_downcaster(copy: Copy) -> None:
    next_version(copy, UP)


def without_notice(copy: Copy) -> None:
    next_version(copy, UP, DOWN.replace("2999", "2001"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (break_field, f"{KEY}.v1, as subscribers know it, is broken:"),
        (without_meaning, "StockShort.note in shared/contracts/inventory.py needs a meaning: Annotated[…, Doc("),
        (without_former, "no class says what StockShort.v1 was: keep it in shared/contracts/inventory.py as a Former"),
        (without_upcaster, 'nothing lifts StockShort.v1: logs hold it, write @upcaster("StockShort", 1)'),
        (without_downcaster, "it is published no longer, without notice"),
        (without_notice, "it is to be published until 2001-01-01, which is before"),
    ],
)
def test_a_broken_contract_fails_the_check_and_is_not_written(
    copy: Copy, change: Callable[[Copy], None], message: str
) -> None:
    before = copy.files()
    change(copy)

    checked, written = copy.run("check"), copy.run("write")

    assert checked[0] == written[0] == 1
    assert message in checked[1]
    assert message in written[1]
    assert copy.files() == before


def test_a_harmless_change_asks_to_be_written(copy: Copy) -> None:
    copy.edit(INVENTORY, SHORT, SHORT + '    note: Annotated[Text, Doc("What staff say.", "soon")] = ""\n')

    code, output = copy.run("check")
    assert code == 1
    assert "It harms no subscriber: run `make contracts`" in output
    assert f"{KEY}.v1: note: a new field" in output

    assert copy.run("write")[0] == 0
    assert copy.run("check") == (0, "")
    assert copy.read(f"examples/{KEY}.v1.json")["body"]["note"] == "soon"
    assert copy.read(f"schemas/{KEY}.v1.json")["properties"]["note"]["description"] == "What staff say."


def test_a_new_version_comes_beside_the_old_one(copy: Copy) -> None:
    shape = copy.read(f"schemas/{KEY}.v1.json")["properties"]
    next_version(copy, UP, DOWN)

    code, output = copy.run("write")

    assert code == 0, output
    assert f"{KEY}.v1: it is published until 2999-01-01" in output
    assert f"{KEY}.v2: it is new" in output
    assert copy.run("check") == (0, "")
    old, new = copy.read(f"schemas/{KEY}.v1.json"), copy.read(f"schemas/{KEY}.v2.json")
    assert old["properties"] == shape
    assert (old["deprecated"], old["x-kameng-published-until"]) == (True, "2999-01-01")
    assert (new["title"], "deprecated" in new, "left" in new["properties"]) == ("StockShort.v2", False, True)
    for version in ("v1", "v2"):
        headers = copy.read(f"examples/{KEY}.{version}.json")["headers"]
        assert (headers["ce-type"], headers["ce-versions"]) == (f"kameng.{KEY}.{version}", "1 2")
    assert {f"{KEY}.v1", f"{KEY}.v2"} <= copy.read("asyncapi.json")["channels"].keys()
    assert "**deprecated**: published until 2999-01-01" in (copy.home / "README.md").read_text(encoding="utf-8")
