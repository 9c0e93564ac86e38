"""The platform is killed in the middle of an import: no key is left in the clear, and the import can be sent again."""

from __future__ import annotations

from pathlib import Path

import httpx

from demo.running import free_port
from services.gateway.access.auth import Principal, issue
from services.gateway.access.bootstrap import USERNAME
from shared.runtime.clock import Clock
from shared.security.secrets import Secrets
from tests.platform.served import Served
from tests.waiting import PATIENCE

KEYS = 5_000
PLAIN = "PLAIN-KEY-"


def holding(folder: Path, text: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


def test_an_import_that_is_killed_leaves_no_key_and_is_done_when_sent_again(tmp_path: Path) -> None:
    var, scratch = tmp_path / "var", tmp_path / "scratch"
    var.mkdir()
    scratch.mkdir()
    server = Served(var, free_port(), {"TMPDIR": str(scratch)})
    token, _ = issue(
        Secrets(var / "secrets").get("tokens"), Principal("staff", USERNAME, "administrator"), Clock().now()
    )
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "once"}
    rows = "sku,key\n" + "".join(f"A-1,{PLAIN}{number:06}\n" for number in range(KEYS))
    file = {"file": ("keys.csv", rows.encode())}
    with httpx.Client(base_url=server.address, headers=headers, timeout=PATIENCE) as client:
        product = {"file": ("products.csv", b"sku,name,price\nA-1,Card,1.00\n")}
        assert client.post("/v1/imports/products", files=product).json()["counts"] == {"listed": 1}
        accepted = client.post("/v1/imports/keys", files=file, headers={"Prefer": "respond-async"})
        server.kill()

        left = holding(tmp_path, PLAIN.encode())
        server.start()
        interrupted = client.get(accepted.headers["Location"]).json()
        again = client.post("/v1/imports/keys", files=file).json()
        stock = client.get("/v1/products/A-1").json()["stock"]
    server.stop()

    assert (accepted.status_code, left, interrupted["state"]) == (202, [], "interrupted")
    assert (again["state"], again["replayed"], sum(again["counts"].values())) == ("completed", False, KEYS)
    assert set(again["counts"]) <= {"loaded", "duplicate"}
    assert stock["loaded"] == KEYS
