"""The platform is killed in the middle of an import: no key is left in the clear, and the import can be sent again."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from demo.running import free_port
from services.gateway.access.auth import Principal
from services.gateway.access.bootstrap import USERNAME
from tests.platform.served import Served

KEYS = 5_000
PLAIN = "PLAIN-KEY-"


def holding(folder: Path, text: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


def test_an_import_that_is_killed_leaves_no_key_and_is_done_when_sent_again(tmp_path: Path) -> None:
    var, scratch = tmp_path / "var", tmp_path / "scratch"
    var.mkdir()
    scratch.mkdir()
    server = Served(var, free_port(), {"TMPDIR": str(scratch)})
    admin = Principal("staff", USERNAME, "administrator")
    ask = partial(server.ask, principal=admin)
    once = {"Idempotency-Key": "once"}
    rows = "sku,key\n" + "".join(f"A-1,{PLAIN}{number:06}\n" for number in range(KEYS))
    file = {"file": ("keys.csv", rows.encode())}
    product = {"file": ("products.csv", b"sku,name,price\nA-1,Card,1.00\n")}
    assert ask("POST", "/v1/imports/products", files=product, headers=once).json()["counts"] == {"listed": 1}
    later = {**once, "Prefer": "respond-async"}
    accepted = ask("POST", "/v1/imports/keys", files=file, headers=later)
    server.kill()

    left = holding(tmp_path, PLAIN.encode())
    server.start()
    interrupted = ask("GET", accepted.headers["Location"]).json()
    again = ask("POST", "/v1/imports/keys", files=file, headers=once).json()
    stock = ask("GET", "/v1/products/A-1").json()["stock"]
    server.stop()

    assert (accepted.status_code, left, interrupted["state"]) == (202, [], "interrupted")
    assert (again["state"], again["replayed"], sum(again["counts"].values())) == ("completed", False, KEYS)
    assert set(again["counts"]) <= {"loaded", "duplicate"}
    assert stock["loaded"] == KEYS
