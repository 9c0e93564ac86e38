"""What was accepted is never denied, however far the read models are behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.gateway.orders.buyers import order_secret
from shared.contracts.fulfillment import DeliveryRequested
from shared.contracts.order import DeliveryRecorded, RefundOrder
from tests.gateway.builders import Shop, line, listed, open_shop, orders_follow, placed

PARTS = ("", "/history", "/deliveries")
KEY = "6f1c0ad0-6f3b-4a60-9d3e-1f0c3b1b7a11"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """One whose read models are behind."""
    shop = open_shop(tmp_path)
    orders_follow(shop)
    shop.staff("support")
    shop.staff("operations")
    shop.staff("finance")
    shop.backend.is_behind = True
    return shop


def place(shop: Shop, headers: dict[str, str], payment: str) -> Any:
    body = {"wishes": [{"sku": "STEAM-50", "quantity": 1}], "payment": payment}
    return shop.client.post("/v1/orders", json=body, headers={"Idempotency-Key": KEY, **headers})


def is_not_shown_yet(answer: Any) -> bool:
    return (answer.status_code, answer.headers.get("Retry-After"), answer.json()["code"]) == (503, "1", "not-shown-yet")


def is_not_found(answer: Any) -> bool:
    return (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_an_accepted_order_is_asked_for_again(shop: Shop) -> None:
    answer = place(shop, {}, "alipay")
    order, secret = answer.json(), {"Order-Secret": answer.json()["secret"]}

    assert (answer.status_code, order["status"]) == (201, "placed")
    for part in PARTS:
        assert is_not_shown_yet(shop.client.get(f"{answer.headers['Location']}{part}", headers=secret))
    assert is_not_shown_yet(shop.client.get(f"/v1/payments/{order['order_id']}", headers=secret))
    assert is_not_shown_yet(shop.client.post(f"{answer.headers['Location']}/cancel", json={}, headers=secret))

    shop.backend.is_behind = False
    shop.backend.happen(placed(order["order_id"], None))
    assert shop.client.get(answer.headers["Location"], headers=secret).status_code == 200


def test_a_customer_does_not_hear_that_there_is_no_order_before_it_is_known(shop: Shop) -> None:
    location = place(shop, shop.customer("c1"), "wallet").headers["Location"]

    for customer in ("c1", "c2"):
        assert is_not_shown_yet(shop.client.get(location, headers=shop.customer(customer)))
    shop.backend.is_behind = False
    assert is_not_found(shop.client.get(location, headers=shop.customer("c2")))


def test_another_customers_order_looks_like_none_at_all(shop: Shop) -> None:
    shop.backend.is_behind = False
    shop.backend.happen(placed("o1", "c1"))
    shop.backend.is_behind = True

    for path in ("/v1/orders/o1", "/v1/orders/o9"):
        assert is_not_shown_yet(shop.client.get(path, headers=shop.customer("c2")))


def test_staff_do_not_hear_it_either(shop: Shop) -> None:
    support = shop.staff("support")

    assert is_not_shown_yet(shop.client.get("/v1/orders/o9", headers=support))
    assert is_not_shown_yet(shop.client.post("/v1/orders/o9/refunds", json={"reason": "x"}, headers=support))
    assert is_not_shown_yet(shop.client.get("/v1/payments/p9", headers=support))
    assert is_not_shown_yet(shop.client.get("/v1/products/NEW", headers=shop.staff("operations")))
    assert not [message for message in shop.backend.sent if isinstance(message.command, RefundOrder)]
    shop.backend.is_behind = False
    for path in ("/v1/orders/o9", "/v1/payments/p9", "/v1/products/NEW"):
        assert is_not_found(shop.client.get(path, headers=support))


def test_a_deposit_is_asked_for_again(shop: Shop) -> None:
    body = {"amount": {"amount": 100, "currency": "CNY"}, "channel": "alipay"}
    opened = shop.client.post("/v1/wallets/c1/deposits", json=body, headers=shop.customer("c1"))

    assert opened.status_code == 201
    path = f"/v1/payments/{opened.json()['payment_id']}"
    assert is_not_shown_yet(shop.client.get(path, headers=shop.customer("c1")))


def test_who_knows_no_secret_learns_nothing_at_once(shop: Shop) -> None:
    location = place(shop, {}, "alipay").headers["Location"]

    for headers in ({}, {"Order-Secret": "wrong"}):
        assert is_not_found(shop.client.get(location, headers=headers))


def test_a_delivered_line_without_its_keys_is_asked_for_again(shop: Shop) -> None:
    secret = {"Order-Secret": order_secret(shop.backend.secrets, "o1")}
    shop.backend.is_behind = False
    requested = DeliveryRequested(delivery_id="o1/1", order_id="o1", line=line(), attempt=1, buyer_key="key")
    shop.backend.happen(placed("o1", "c1"), requested)
    shop.backend.is_behind = True
    assert shop.client.get("/v1/orders/o1/deliveries", headers=secret).status_code == 200

    shop.backend.is_behind = False
    delivered = DeliveryRecorded(order_id="o1", line=1, delivered=True, numbers=(4,))
    shop.backend.happen(delivered)
    shop.backend.is_behind = True
    assert is_not_shown_yet(shop.client.get("/v1/orders/o1/deliveries", headers=secret))


def test_fulfillments_log_is_asked_for_only_when_a_delivery_is_missing(shop: Shop) -> None:
    secret = {"Order-Secret": order_secret(shop.backend.secrets, "o1")}
    shop.backend.is_behind = False
    requested = DeliveryRequested(delivery_id="o1/1", order_id="o1", line=line(), attempt=1, buyer_key="key")
    shop.backend.happen(placed("o1", "c1"), requested)

    shop.client.get("/v1/orders/o1/deliveries", headers=secret)
    assert shop.backend.asked == []
    shop.backend.happen(DeliveryRecorded(order_id="o1", line=1, delivered=True, numbers=(4,)))
    shop.client.get("/v1/orders/o1/deliveries", headers=secret)
    assert shop.backend.asked == ["fulfillment"]


def test_what_is_shown_is_shown_however_far_behind(shop: Shop) -> None:
    shop.backend.is_behind = False
    shop.backend.happen(placed("o1", "c1"), listed())
    shop.backend.is_behind = True

    assert shop.client.get("/v1/orders/o1", headers=shop.customer("c1")).status_code == 200
    assert shop.client.get("/v1/products/STEAM-50").status_code == 200
