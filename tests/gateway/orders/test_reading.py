"""Orders, their keys, history and lists, and what is done to them after the sale."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.gateway.orders.buyers import buyer_key, order_secret
from shared.contracts import fulfillment as ff
from shared.contracts.order import CancelOrder, OrderCancelled, RefundOrder, ReplaceKey
from shared.security.sealing import Sealer
from tests.amounts import yuan
from tests.gateway.builders import Shop, line, placed
from tests.gateway.orders.builders import deliver


def test_an_order_is_hidden_from_whoever_has_no_right_to_it(shop: Shop) -> None:
    shop.backend.happen(placed("o1", "c1"))
    missing = shop.client.get("/v1/orders/o9", headers=shop.customer("c2"))
    for path in ("/v1/orders/o1", "/v1/orders/o1/history", "/v1/orders/o1/deliveries"):
        for headers in ({}, shop.customer("c2"), {"Order-Secret": "wrong"}, {"Order-Secret": ""}):
            answer = shop.client.get(path, headers=headers)
            assert (answer.status_code, answer.json()["detail"]) == (404, missing.json()["detail"])
    assert shop.client.post("/v1/orders/o1/cancel", json={}, headers=shop.customer("c2")).status_code == 404
    assert shop.backend.sent == []


def test_guessing_secrets_is_slowed_down(shop: Shop) -> None:
    shop.backend.happen(placed("o1", None))
    right = {"Order-Secret": order_secret(shop.backend.secrets, "o1")}
    for number in range(10):
        assert shop.client.get("/v1/orders/o1", headers={"Order-Secret": f"guess-{number}"}).status_code == 404
    slowed = shop.client.get("/v1/orders/o1", headers=right)
    assert (slowed.status_code, slowed.json()["code"]) == (429, "too-many-attempts")
    assert 0 < int(slowed.headers["Retry-After"]) <= 61
    forwarded = {**right, "X-Forwarded-For": "203.0.113.9"}
    assert shop.client.get("/v1/orders/o1", headers=forwarded).status_code == 429
    shop.clock.now += timedelta(minutes=2)
    assert shop.client.get("/v1/orders/o1", headers=right).status_code == 200


def test_keys_open_for_the_buyer_only(shop: Shop) -> None:
    deliver(shop)
    path = "/v1/orders/o1/deliveries"
    for headers in (shop.customer("c1"), {"Order-Secret": order_secret(shop.backend.secrets, "o1")}):
        answer = shop.client.get(path, headers=headers)
        assert answer.json()["items"][0]["keys"] == [{"number": 4, "key": "KEY-A"}, {"number": 9, "key": "KEY-B"}]
        assert answer.headers["Cache-Control"] == "no-store"
    for role in ("support", "operations", "finance", "administrator"):
        text = shop.client.get(path, headers=shop.staff(role)).text
        assert '"numbers":[4,9]' in text
        assert "KEY-A" not in text
        assert "k1." not in text


def test_an_envelope_of_another_order_does_not_open(shop: Shop) -> None:
    envelope = Sealer(buyer_key(shop.backend.secrets, "o2"), lambda n: b"r" * n).seal('["KEY"]', "o2/1")
    shop.backend.happen(
        placed("o1", "c1"),
        ff.KeysDelivered(delivery_id="o1/1", order_id="o1", line=1, sku="STEAM-50", numbers=(1,), envelope=envelope),
    )
    answer = shop.client.get("/v1/orders/o1/deliveries", headers=shop.customer("c1"))
    assert (answer.status_code, answer.json()["code"]) == (500, "cannot-open")


def test_history_shows_buyers_less_than_staff(shop: Shop) -> None:
    deliver(shop)
    cancelled = OrderCancelled(order_id="o1", customer="c1", reason="staff", note="suspicious", paid=False, lines=())
    shop.backend.happen(cancelled, actor="staff:anna")
    buyer = shop.client.get("/v1/orders/o1/history", headers=shop.customer("c1"))
    assert [item["event"] for item in buyer.json()["items"]] == ["OrderPlaced", "OrderCancelled"]
    for hidden in ("velocity", "anna", "suspicious"):
        assert hidden not in buyer.text
    staff = shop.client.get("/v1/orders/o1/history", headers=shop.staff("support")).json()["items"]
    assert {item["source"] for item in staff} == {"order", "risk", "fulfillment"}
    assert {item["actor"] for item in staff} == {"staff:anna"}
    assert [item["at"] for item in staff] == sorted(item["at"] for item in staff)


def test_an_order_shows_its_buyer_no_supplier(shop: Shop) -> None:
    shop.backend.happen(placed("o1", "c1", lines=(line(suppliers=("north",)),)))
    assert "north" not in shop.client.get("/v1/orders/o1", headers=shop.customer("c1")).text


def test_lists_are_paged_and_each_customers_own(shop: Shop) -> None:
    shop.backend.happen(*(placed(f"o{number}", f"c{number % 2}") for number in range(7)))
    found, cursor = [], None
    while True:
        params: dict[str, Any] = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = shop.client.get("/v1/orders", params=params, headers=shop.staff("support")).json()
        found += [item["order_id"] for item in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert found == [f"o{number}" for number in reversed(range(7))]
    own = shop.client.get("/v1/orders", params={"customer": "c0"}, headers=shop.customer("c1")).json()["items"]
    assert {item["customer"] for item in own} == {"c1"}


def test_lists_are_filtered(shop: Shop) -> None:
    shop.backend.happen(
        placed("o1", "c1"),
        placed("o2", "c2", lines=(line(sku="QQ-10"),)),
        OrderCancelled(order_id="o2", customer="c2", reason="buyer", paid=False, lines=()),
    )
    headers = shop.staff("support")

    def ids(**params: str) -> list[str]:
        return [
            item["order_id"] for item in shop.client.get("/v1/orders", params=params, headers=headers).json()["items"]
        ]

    assert ids(status="cancelled") == ids(sku="QQ-10") == ids(customer="c2") == ["o2"]
    assert ids(placed_from="2030-01-01T00:00:00Z") == []
    assert ids(placed_to="2026-03-01T20:00:01.5+08:00") == ["o1"]


@pytest.mark.parametrize("half", [{"line": 1}, {"number": 4}, {"line": 1, "number": None}])
def test_a_refund_names_a_key_by_line_and_number_or_not_at_all(shop: Shop, half: dict[str, int | None]) -> None:
    shop.backend.happen(placed("o1", "c1"))
    headers = {"Idempotency-Key": "r", **shop.staff("finance")}
    refused = shop.client.post("/v1/orders/o1/refunds", json={**half, "reason": "used"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid-request")
    assert "by both its line" in refused.text
    assert shop.backend.sent == []
    whole = {"line": 1, "number": 4, "reason": "used"}
    assert shop.client.post("/v1/orders/o1/refunds", json=whole, headers=headers).status_code == 202


def test_cancelling_refunding_replacing(shop: Shop) -> None:
    shop.backend.happen(placed("o1", "c1"))
    shop.client.post("/v1/orders/o1/cancel", json={"note": "no"}, headers=shop.customer("c1"))
    assert shop.backend.last == CancelOrder(order_id="o1", by="buyer", note="no")
    shop.client.post("/v1/orders/o1/cancel", json={}, headers=shop.staff("support"))
    assert shop.backend.last == CancelOrder(order_id="o1", by="staff")
    headers = {"Idempotency-Key": "r", **shop.staff("finance")}
    first = shop.client.post("/v1/orders/o1/refunds", json={"amount": 100, "reason": "stale"}, headers=headers)
    again = shop.client.post("/v1/orders/o1/refunds", json={"amount": 100, "reason": "stale"}, headers=headers)
    assert first.json()["refund_id"] == again.json()["refund_id"] == shop.backend.sent[-1].id
    command: RefundOrder = shop.backend.last
    assert (command.amount, shop.backend.sent[-1].meta.actor) == (yuan(1), "staff:finance-1")
    body = {"line": 1, "number": 4, "reason": "used"}
    assert shop.client.post("/v1/orders/o1/replacements", json=body, headers=shop.staff("support")).status_code == 202
    assert shop.backend.last == ReplaceKey(order_id="o1", line=1, number=4, reason="used")
    assert shop.client.post("/v1/orders/o9/refunds", json={"reason": "x"}, headers=headers).status_code == 404
