"""Imports over HTTP: files, dry runs, fates, templates."""

from __future__ import annotations

import httpx
import pytest
import sqlalchemy as sa

from services.gateway.imports.runs import runs
from shared.contracts import inventory as inv
from shared.contracts.gateway import ImportCompleted, RecordImport
from shared.messages.messages import Reply
from tests.gateway.builders import Shop


def test_a_file_is_imported_and_its_fates_are_listed(shop: Shop) -> None:
    shop.backend.answers[inv.ListProduct] = Reply("accepted", "inventory", 1, {"fate": "listed"})
    shop.backend.then[RecordImport] = lambda c: [ImportCompleted(**c.model_dump())]
    file = {"file": ("goods.csv", "SKU,名称,售价\nA-1,Card,5.00\nA-2,Card,free\n".encode())}
    headers = {"Idempotency-Key": "i", **shop.staff("operations")}
    dry = shop.client.post("/v1/imports/products", files=file, data={"dry_run": "true"}, headers=headers).json()
    assert (dry["counts"], dry["dry_run"]) == ({"listed": 1, "bad": 1}, True)
    assert all(message.command.dry_run for message in shop.backend.sent)  # type: ignore[attr-defined]
    report = shop.client.post("/v1/imports/products", files=file, headers=headers).json()
    assert (report["rows"], report["counts"], report["broken"]) == (2, {"listed": 1, "bad": 1}, None)
    assert (dry["rejected"], report["rejected"]) == (1, 1)
    recorded = shop.backend.log[-1].event
    assert isinstance(recorded, ImportCompleted)
    assert (recorded.rows, recorded.rejected, recorded.broken, recorded.last_row) == (2, 1, None, None)
    path = f"/v1/imports/{report['import_id']}"
    assert shop.client.get(path, headers=headers).json()["fates"] == {"listed": 1, "bad": 1}
    fates = shop.client.get(f"{path}/fates", headers=headers)
    assert fates.headers["content-type"] == "text/csv; charset=utf-8"
    assert len(fates.text.splitlines()) == 3
    before = len(shop.backend.sent)
    assert shop.client.post("/v1/imports/products", files=file, headers=headers).json()["replayed"] is True
    assert len(shop.backend.sent) == before


@pytest.mark.parametrize("said", ["", "maybe", ["true", ""], ["true", "false"]])
def test_a_dry_run_that_is_not_clearly_wanted_or_unwanted_does_nothing(shop: Shop, said: str | list[str]) -> None:
    file = {"file": ("goods.csv", "SKU,名称,售价\nA-1,Card,5.00\n".encode())}
    headers = shop.staff("operations")
    answer = shop.client.post("/v1/imports/products", files=file, data={"dry_run": said}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert not shop.backend.sent


def test_a_file_that_breaks_off_is_reported_as_done_in_part_or_as_failed(shop: Shop) -> None:
    shop.backend.answers[inv.ListProduct] = Reply("accepted", "inventory", 1, {"fate": "listed"})
    shop.backend.then[RecordImport] = lambda c: [ImportCompleted(**c.model_dump())]

    def sent(*rows: str) -> httpx.Response:
        file = {"file": ("goods.csv", "\n".join(("SKU,名称,售价", *rows, 'B-1,"Card,5.00\n')).encode())}
        headers = {"Idempotency-Key": "i", **shop.staff("operations")}
        return shop.client.post("/v1/imports/products", files=file, headers=headers)

    part = sent("A-1,Card,5.00", "A-2,Card,5.00").json()
    assert (part["state"], part["counts"], part["replayed"]) == ("partial", {"listed": 2}, False)
    assert (part["broken"]["code"], part["broken"]["after_row"]) == ("damaged-file", 3)
    recorded = shop.backend.log[-1].event
    assert isinstance(recorded, ImportCompleted)
    assert (recorded.rows, recorded.rejected, recorded.broken, recorded.last_row) == (2, 0, "damaged-file", 3)
    path = f"/v1/imports/{part['import_id']}"
    assert shop.client.get(path, headers=shop.staff("operations")).json() == part
    before = len(shop.backend.sent)
    assert sent("A-1,Card,5.00", "A-2,Card,5.00").json() == {**part, "replayed": True}
    with shop.backend.reads.begin() as connection:
        connection.execute(sa.delete(runs))  # only the log knows it, as after a crash
    known = shop.client.get(path, headers=shop.staff("operations")).json()
    for same in ("state", "rows", "counts", "fates", "rejected"):
        assert known[same] == part[same]
    assert (known["broken"]["code"], known["broken"]["after_row"]) == ("damaged-file", 3)
    assert sent("A-1,Card,5.00", "A-2,Card,5.00").json() == {**known, "replayed": True}
    nothing = sent("A-1,Card,free")
    assert (nothing.status_code, nothing.json()["code"]) == (422, "damaged-file")
    assert len(shop.backend.sent) == before


def test_imported_keys_leave_sealed_and_leave_no_trace(shop: Shop) -> None:
    shop.backend.answers[inv.LoadKeys] = Reply("accepted", "inventory", 1, {"loaded": 1, "duplicates": []})
    file = {"file": ("keys.csv", b"sku,key\nA-1,PLAIN-KEY-1\n")}
    answer = shop.client.post("/v1/imports/keys", files=file, headers=shop.staff("operations"))
    assert answer.json()["counts"] == {"loaded": 1}
    assert "PLAIN-KEY-1" not in answer.text + repr(shop.backend.sent)
    for kept in shop.backend.settings.var.rglob("*"):
        assert not kept.is_file() or b"PLAIN-KEY-1" not in kept.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "mapping", "code"),
    [
        ("a.exe", b"x", None, "unknown-format"),
        ("a.csv", b"nothing,of,use\n1,2,3\n", None, "missing-column"),
        ("a.csv", b"sku,key\n", "{not json", "bad-mapping"),
        ("a.csv", b"sku,key\n", '["sku"]', "bad-mapping"),
    ],
)
def test_a_bad_file_is_a_problem(shop: Shop, name: str, content: bytes, mapping: str | None, code: str) -> None:
    data = {"mapping": mapping} if mapping else None
    headers = shop.staff("operations")
    answer = shop.client.post("/v1/imports/keys", files={"file": (name, content)}, data=data, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_templates_can_be_downloaded(shop: Shop) -> None:
    answer = shop.client.get("/v1/imports/templates/products", headers=shop.staff("operations"))
    assert answer.content.startswith(b"PK")
    assert "products.xlsx" in answer.headers["Content-Disposition"]


def test_a_product_names_configured_suppliers_alone(shop: Shop) -> None:
    shop.backend.answers[inv.ListProduct] = Reply("accepted", "inventory", 1, {"fate": "listed"})
    shop.backend.then[RecordImport] = lambda c: [ImportCompleted(**c.model_dump())]
    file = {"file": ("goods.csv", "SKU,名称,售价,供应商\nA-1,Card,5.00,nosuch\nA-2,Card,5.00,north;north\n".encode())}

    report = shop.client.post("/v1/imports/products", files=file, headers=shop.staff("operations")).json()

    assert report["counts"] == {"listed": 1, "bad": 1}
    [listed] = [one.command for one in shop.backend.sent if isinstance(one.command, inv.ListProduct)]
    assert (listed.sku, listed.listing.suppliers) == ("A-2", ("north",))
