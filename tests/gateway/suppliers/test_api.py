"""What suppliers said and sent, over HTTP."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from services.gateway.orders.buyers import buyer_key
from shared.contracts import fulfillment as ff
from shared.contracts.inventory import SealedKey
from shared.messages.messages import CommandMessage, Reply
from shared.security.sealing import Sealer
from tests.amounts import yuan
from tests.gateway.builders import Shop, customer_registered, line, placed


def test_what_suppliers_said_is_shown_until_somebody_settles_it(shop: Shop) -> None:
    def stated(order_id: str, finding: str) -> ff.SupplierStatementRecorded:
        return ff.SupplierStatementRecorded.model_validate(
            {
                "delivery_id": f"{order_id}/1", "order_id": order_id, "line": 1, "sku": "QQ-10", "supplier": "north",
                "request_id": f"{order_id}/1#north", "statement": 1, "finding": finding, "outcome": "done",
                "supplier_ref": "n-7", "cost": yuan(4700), "reason": "", "bill": yuan(4700),
            }
        )  # fmt: skip

    shop.backend.happen(stated("o1", "late-success"), stated("o2", "other-cost"), stated("o3", "agrees"))
    shop.backend.then[ff.SettleStatement] = lambda command: [
        ff.SupplierStatementSettled(
            delivery_id=command.delivery_id,
            order_id="o1",
            line=1,
            supplier="north",
            request_id="o1/1#north",
            statement=command.statement,
            decision=command.decision,
            bill=None,
            moved=yuan(4700),
            note=command.note,
        )
    ]
    finance = shop.staff("finance")

    def listed(**params: str) -> list[str]:
        shown = shop.client.get("/v1/suppliers/statements", params={"limit": "1", **params}, headers=finance).json()
        ids = [item["statement_id"] for item in shown["items"]]
        return ids if shown["next"] is None else [*ids, *listed(**{**params, "cursor": shown["next"]})]

    assert listed(status="open") == ["o1/1/s1", "o2/1/s1"]
    path, body = "/v1/suppliers/statements/o1/1/s1/settlement", {"decision": "cost", "note": "they did deliver"}
    answer = shop.client.post(path, json=body, headers=finance)
    assert answer.json() == {"statement_id": "o1/1/s1", "status": "cost"}
    assert shop.backend.last == ff.SettleStatement.model_validate({"delivery_id": "o1/1", "statement": 1, **body})
    assert listed(status="open") == ["o2/1/s1"]
    assert listed(status="cost") == ["o1/1/s1"]
    shop.backend.then[ff.WinClaim] = lambda command: [
        ff.SupplierClaimWon(
            delivery_id=command.delivery_id,
            order_id="o2",
            line=1,
            supplier="north",
            request_id="o2/1#north",
            statement=command.statement,
            amount=yuan(4700),
            note=command.note,
        )
    ]
    won = shop.client.post(
        "/v1/suppliers/statements/o2/1/s1/settlement", json={**body, "decision": "won"}, headers=finance
    )
    assert won.json() == {"statement_id": "o2/1/s1", "status": "won"}
    assert listed(status="won") == ["o2/1/s1"]
    not_borne = {"decision": "won", "cost": {"amount": 1}}
    for odd in ({}, {"decision": "keep"}, {"cost": {"amount": -1}}, {"note": ""}, {"more": 1}, not_borne):
        assert shop.client.post(path, json={**body, **odd} if odd else {}, headers=finance).status_code == 422


def test_texts_that_came_late_are_read_by_finance_and_cached_nowhere(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send(service: str, message: CommandMessage) -> Reply:
        command = message.command
        assert isinstance(command, ff.OpenGoods)
        envelope = Sealer(command.reader_key, os.urandom).seal(json.dumps(["CARD-0001", "卡号"]), "o1/1/s2")
        return Reply("accepted", service, 1, {"envelope": envelope})

    monkeypatch.setattr(shop.backend, "send", send)
    path, headers = "/v1/suppliers/statements/o1/1/s2/goods", {**shop.staff("finance"), "Idempotency-Key": "read-1"}
    answer = shop.client.post(path, json={"note": "for the next buyer"}, headers=headers)

    assert answer.json() == {"statement_id": "o1/1/s2", "goods": ["CARD-0001", "卡号"]}
    assert answer.headers["Cache-Control"] == "no-store"
    assert shop.client.post(path, json={}, headers=headers).status_code == 422


def test_what_nobody_asked_a_supplier_for_is_shown_and_its_texts_are_read(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(delivery_id: str, order_id: str | None, ref: str, texts: int = 0) -> ff.SupplierReportRefused:
        return ff.SupplierReportRefused(
            delivery_id=delivery_id,
            order_id=order_id,
            supplier="north",
            request_id=f"{delivery_id}#north",
            outcome="done",
            supplier_ref=ref,
            cost=yuan(47),
            reason="",
            goods=tuple(SealedKey(index=f"{ref}-{number}", box="k1.box") for number in range(texts)),
        )

    shop.backend.happen(
        refused("o1/1", "o1", "n-1", 2), refused("o9/1", None, "n-2"), refused("o1/1", "o1", "n-3"),
        refused("o1/1", "o1", "n-4", 1),
    )  # fmt: skip
    finance = shop.staff("finance")

    def listed(**params: str) -> dict[str, dict[str, Any]]:
        shown = shop.client.get("/v1/suppliers/reports", params={"limit": "1", **params}, headers=finance).json()
        found = {item["report_id"]: item for item in shown["items"]}
        return found if shown["next"] is None else {**found, **listed(**{**params, "cursor": shown["next"]})}

    rows = listed()
    assert list(rows) == ["o1/1/r1", "o9/1/r1", "o1/1/r2", "o1/1/r3"]
    assert [rows[name]["goods"] for name in rows] == [2, None, None, 1]
    assert (rows["o9/1/r1"]["order_id"], rows["o9/1/r1"]["supplier_ref"]) == (None, "n-2")
    assert "k1.box" not in json.dumps(rows)
    assert list(listed(status="open")) == ["o1/1/r1", "o1/1/r3"]
    assert list(listed(status="told")) == ["o9/1/r1", "o1/1/r2"]
    assert listed(supplier="south") == {}

    async def send(service: str, message: CommandMessage) -> Reply:
        command = message.command
        assert isinstance(command, ff.OpenReport)
        opened = ff.SupplierReportOpened(
            delivery_id=command.delivery_id, order_id="o1", supplier="north", report=command.report, note=command.note
        )
        shop.backend.happen(opened, actor=message.meta.actor)
        envelope = Sealer(command.reader_key, os.urandom).seal(json.dumps(["CARD-0001"]), "o1/1/r3")
        return Reply("accepted", service, 1, {"envelope": envelope})

    monkeypatch.setattr(shop.backend, "send", send)
    path, body = "/v1/suppliers/reports/o1/1/r3/goods", {"note": "what did they send?"}
    answer = shop.client.post(path, json=body, headers={**finance, "Idempotency-Key": "read-1"})

    assert answer.json() == {"report_id": "o1/1/r3", "goods": ["CARD-0001"]}
    assert answer.headers["Cache-Control"] == "no-store"
    assert list(listed(status="open")) == ["o1/1/r1"]
    read = listed(status="opened")["o1/1/r3"]
    assert (read["opened_by"], read["note"], read["goods"]) == ("staff:finance-1", "what did they send?", 1)
    assert shop.client.post(path, json={}, headers=finance).status_code == 422


def test_a_buyer_reads_the_texts_that_a_supplier_delivered(shop: Shop) -> None:
    sealer = Sealer(buyer_key(shop.backend.secrets, "o1"), os.urandom)
    fields = {
        "delivery_id": "o1/1",
        "order_id": "o1",
        "line": 1,
        "sku": "QQ-10",
        "supplier": "north",
        "supplier_ref": "n",
    }
    envelope = sealer.seal(json.dumps(["CARD-0001", "CARD-0002"]), "o1/1")
    delivered = ff.SupplierDelivered.model_validate({**fields, "cost": yuan(9), "envelope": envelope})
    shop.backend.happen(customer_registered("c1"), placed("o1", "c1", lines=(line(),)), delivered)

    items = shop.client.get("/v1/orders/o1/deliveries", headers=shop.customer("c1")).json()["items"]
    seen_by_staff = shop.client.get("/v1/orders/o1/deliveries", headers=shop.staff("operations")).text

    assert items[0]["keys"] == [{"number": 1, "key": "CARD-0001"}, {"number": 2, "key": "CARD-0002"}]
    assert "CARD-0001" not in seen_by_staff
    assert envelope not in seen_by_staff
