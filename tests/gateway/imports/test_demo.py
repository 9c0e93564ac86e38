"""The demo catalogue is what its script writes, and imports without a flaw."""

from __future__ import annotations

import asyncio
import runpy
from collections import Counter
from pathlib import Path

from services.gateway.imports.run import import_keys, import_products
from shared.contracts.inventory import LoadKeys
from tests.gateway.imports.builders import SEALING, Inventory, read_rows

DEMO = Path(__file__).parents[3] / "deploy" / "demo"
MAKER = runpy.run_path(str(DEMO / "make_catalogue.py"))


def test_the_workbooks_are_made_by_the_script_byte_for_byte_alike(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    MAKER["main"](tmp_path)
    MAKER["main"](tmp_path / "again")

    for name in ("products.xlsx", "keys.xlsx"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
        assert [row.cells for row in read_rows(tmp_path / name, name)] == [
            row.cells for row in read_rows(DEMO / name, name)
        ]


def test_the_catalogue_imports_whole(tmp_path: Path) -> None:
    inventory = Inventory()
    listed = asyncio.run(
        import_products(
            read_rows(DEMO / "products.xlsx", "products.xlsx"), inventory.send, import_id="i", fates=tmp_path / "p"
        )
    )
    loaded = asyncio.run(
        import_keys(
            read_rows(DEMO / "keys.xlsx", "keys.xlsx"),
            inventory.send,
            SEALING,
            import_id="i",
            new_id=lambda: "c",
            fates=tmp_path / "k",
        )
    )

    assert listed.counts == {"listed": listed.rows}
    assert listed.rows >= 200
    assert loaded.counts == {"loaded": loaded.rows}
    assert loaded.rows >= 5_000
    assert listed.ignored == loaded.ignored == ()
    keys = Counter[str]()
    for _, command in inventory.sent:
        if isinstance(command, LoadKeys):
            keys[command.sku] += len(command.keys)
    assert keys["LAST-10"] == 10
