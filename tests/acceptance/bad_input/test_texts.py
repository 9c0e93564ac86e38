"""Texts that want to be code are texts."""

from __future__ import annotations

import json
from urllib.parse import quote
from uuid import uuid4

import pytest

from demo.shop import answer_of
from sandboxes.running import CHANNEL
from shared.values.identities import device, target
from tests.acceptance.bad_input.shop import TOP_UP, Shop, problem
from tests.platform.market import PRODUCT_COLUMNS

HOSTILE = [
    "'; DROP TABLE orders; --",
    '" OR ""="',
    "1' UNION SELECT hash FROM credentials --",
    "%' OR '1'='1",
    "{{7*7}}{% for x in ().__class__.__base__.__subclasses__() %}x{% endfor %}",
    "${7*7}#{7*7}<%= 7*7 %>",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "%s%n%x{0}{self.__class__}",
    "../../../../etc/passwd",
    "\\x27 \\u0027 \\",
    "卡密’；删除—😀",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_kept_as_it_is(shop: Shop, text: str) -> None:
    market = shop.market
    row = (f"H-{uuid4()}", text, "1.00", "card-key", "manual", "", "CNY")
    market.run(market.load("products", PRODUCT_COLUMNS, [row]))
    assert answer_of(shop.ask("alice", "GET", f"/v1/products/{row[0]}"))["name"] == text
    found = answer_of(shop.ask("alice", "GET", "/v1/products", params={"name": text}))["items"]
    assert [item["sku"] for item in found] == [row[0]]

    entry = {"list": "block", "dimension": "device", "value": text, "reason": text}
    answer_of(shop.ask("operations", "POST", "/v1/risk/lists", json=entry), 201)
    entries = answer_of(shop.ask("operations", "GET", "/v1/risk/lists", params={"limit": "200"}))["items"]
    assert [item["reason"] for item in entries if item["entry"] == f"device:{device(text)}"] == [text]
    problem(shop.ask("operations", "POST", "/v1/risk/lists", json={**entry, "value": f"{text}\x00"}), 422)

    wishes = [{"sku": TOP_UP, "quantity": 1, "target": text}]
    order = answer_of(
        shop.ask(
            "guest",
            "POST",
            "/v1/orders",
            json={"wishes": wishes, "payment": CHANNEL, "email": "buyer@example.org"},
            headers={"Idempotency-Key": str(uuid4())},
        ),
        201,
    )
    headers = {"Order-Secret": order["secret"]}
    path = f"/v1/orders/{order['order_id']}"
    cancelled = answer_of(shop.ask("guest", "POST", f"{path}/cancel", json={"note": text}, headers=headers))
    assert cancelled["lines"][0]["target"] == target(text)
    history = answer_of(shop.ask("support", "GET", f"{path}/history"))["items"]
    assert any(item["event"] == "OrderCancelled" for item in history)


FILTERS = [
    ("alice", "/v1/products", "name"),
    ("alice", "/v1/products", "kind"),
    ("support", "/v1/orders", "customer"),
    ("support", "/v1/orders", "sku"),
    ("support", "/v1/orders", "status"),
    ("support", "/v1/orders", "cursor"),
    ("support", "/v1/orders", "placed_from"),
    ("support", "/v1/notifications", "order_id"),
    ("operations", "/v1/risk/lists", "name"),
    ("operations", "/v1/risk/cases", "status"),
    ("operations", "/v1/events", "source"),
    ("operations", "/v1/events", "after"),
    ("administrator", "/v1/ledger/accounts/wallet:x/entries", "cursor"),
    ("alice", "/v1/products", "limit"),
]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(("who", "path", "name"), FILTERS)
def test_a_hostile_filter_finds_nothing(shop: Shop, who: str, path: str, name: str) -> None:
    for text in (*HOSTILE, "\x00", "9" * 400, "-1", "\u202e"):
        if name == "name" and path == "/v1/products":
            text = f"{text}~"  # the texts themselves are names of products here
        response = shop.ask(who, "GET", path, params={name: text})
        if response.status_code != 200:
            problem(response, 422)
        elif name not in ("limit", "after"):
            assert response.json()["items"] == []


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_path_leads_nowhere(shop: Shop, text: str) -> None:
    for who, path in (
        ("support", "/v1/orders/"),
        ("support", "/v1/payments/"),
        ("support", "/v1/wallets/"),
        ("alice", "/v1/products/"),
        ("operations", "/v1/imports/"),
        ("operations", "/v1/events/"),
    ):
        problem(shop.market.run(shop.who(who).get(path + quote(text, safe=""))), 404, 422)


@pytest.mark.parametrize("text", [*HOSTILE, "\x00", "\ud800"])
def test_a_hostile_login_is_a_wrong_one(shop: Shop, text: str) -> None:
    client = shop.market.guest(5_000 + hash(text) % 1_000)
    for body in (
        {"kind": "staff", "login": text, "password": "x"},
        {"kind": "staff", "login": "admin", "password": text},
    ):
        content = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        problem(shop.market.run(client.post("/v1/sessions", content=content, headers=headers)), 401, 422, 429)
